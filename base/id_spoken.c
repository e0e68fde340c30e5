/* base/id_spoken.c: the speakable code of an id. Apart from id.c, because only this needs SHA-256: a
 * program without it links no cryptographic library. */
#include "base/id.h"
#include "base/text.h"

char *id_to_spoken(const struct id *id, char out[ID_SPOKEN_BYTES])
{
    struct digest d = digest_of_slice(id_slice(id));
    char *to = out;
    for (unsigned i = 0; i < 6; i++) {
        if (i == 3)
            *to++ = '-';
        *to++ = text_spoken_digit(digest_slice(&d), i);
    }
    *to = '\0';
    return out;
}
