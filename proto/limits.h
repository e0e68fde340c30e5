/* proto/limits.h: the limits of the wire [P-32]. Settings may lower some of them, never raise them. */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

#define LIMIT_PROTOCOL 1u
#define LIMIT_PROFILE 1u

#define LIMIT_FRAME_BYTES_BEFORE_WELCOME 4096u
#define LIMIT_HELLO_MS 5000
#define LIMIT_MESSAGE_BYTES_DEFAULT (8u << 20) /* of a serialised Envelope */
#define LIMIT_MESSAGE_BYTES_MAX (32u << 20)
#define LIMIT_FRAME_OVERHEAD_BYTES 1024u /* a frame may exceed its message by so much */
#define LIMIT_HEADER_BYTES 16384u
#define LIMIT_READERS 128u /* endpoints of both organisations together */
#define LIMIT_COPIES 16u
#define LIMIT_CASES 100u        /* on a page */
#define LIMIT_FIGURE_TEAMS 8u   /* on a page */
#define LIMIT_FIGURE_ROWS 1536u /* of a team: its own, with all its persons */
#define LIMIT_DATE_MIN 18262u   /* 2020-01-01, in days since 1970 */
#define LIMIT_DATE_MAX 47482u   /* 2100-01-01 */
#define LIMIT_MOMENTS 8u
#define LIMIT_LINKED_CASES 8u /* of one case by the child, and as many by the household */
#define LIMIT_FAMILY_KEY_BYTES 32u
#define LIMIT_SOFTWARE_BYTES 64u
#define LIMIT_NAME_BYTES 200u /* names of people and organisations, areas */
#define LIMIT_CARD_TEXT_BYTES 4000u
#define LIMIT_CERTIFICATE_BYTES 8192u
#define LIMIT_INTERMEDIATES 4u
#define LIMIT_COUNTERSIGNATURES 16u
#define LIMIT_BINDING_BYTES 1024u
#define LIMIT_SIGNATURE_BYTES 512u
#define LIMIT_ANCHORS 64u   /* different ones, of all municipalities */
#define LIMIT_PERSONS 1024u /* of one organisation, so that its roster fits in a directory page */
#define LIMIT_DIRECTORY_ORGANISATIONS 64u /* asked for by id in one request */
#define LIMIT_DIRECTORY_PAGE_BYTES (256u << 10)
#define LIMIT_REQUESTS_UNANSWERED 1024u
#define LIMIT_CREDIT_MESSAGES 10000u
#define LIMIT_CREDIT_BYTES (64ull << 20)
#define LIMIT_CLOCK_AHEAD_MS (10 * 60 * 1000)
#define LIMIT_KNOWN_ID_MS (48ll * 3600 * 1000) /* how far back ids are in memory at start */
#define LIMIT_ARENA_EXTRA_BYTES (64u << 10) /* a frame may cost 2 x its length + this to decode */
/* Sealed part, client side */
#define LIMIT_CONTENT_BYTES LIMIT_MESSAGE_BYTES_MAX
#define LIMIT_ATTACHMENTS 16u
#define LIMIT_LETTER_TEXT_BYTES (1u << 20)
/* Admin socket */
#define LIMIT_ADMIN_FRAME_BYTES (1u << 20)
#define LIMIT_ADMIN_ANSWER_BYTES \
    (LIMIT_MESSAGE_BYTES_MAX + (16u << 20)) /* a page of letters, or one large one */
/* Recovery files: this line, then RecoveryItems */
#define RECOVERY_MARK "BRUG RECOVERY 1\n"
#define LIMIT_RECOVERY_ITEM_BYTES \
    (LIMIT_MESSAGE_BYTES_MAX + (16u << 20)) /* a letter, or the head with its lists */

#endif
