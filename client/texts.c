/*
 * client/texts.c: words and sentences for people: the closed lists, and for each code what to do about it.
 *
 * One row a code; a test compares the rows with base/error.h. Plain language, Dutch at level B1.
 */
#include "include/brug.h"

#include "base/error.h"
#include "rules/codes.h"

#include <stddef.h>
#include <string.h>

/* ---- sentences ---- */

struct sentence {
    int code;
    const char *dutch;
    const char *english;
};

/* clang-format off */
static const struct sentence SENTENCES[] = {
    {BRUG_OK, "Gelukt.", "Done."},
    {BRUG_TLS_NO_CERTIFICATE, "Brug heeft uw certificaat niet ontvangen. Start Brug opnieuw. Helpt dat niet? Bel de beheerder.",
     "The relay did not receive your certificate. Start Brug again; if that does not help, call the operator."},
    {BRUG_TLS_UNKNOWN_CA, "Het certificaat is van een onbekende uitgever. Ga niet verder en bel de beheerder.",
     "The certificate comes from an unknown issuer. Do not go on; call the operator."},
    {BRUG_TLS_EXPIRED, "Een certificaat is verlopen of nog niet geldig. Kijk of de klok van uw computer goed staat. Zo ja: vraag de beheerder om een nieuw certificaat.",
     "A certificate has run out or is not valid yet. Check the clock of your computer; if it is right, ask the operator for a new certificate."},
    {BRUG_TLS_REVOKED, "Het certificaat is ingetrokken. Bel de beheerder.",
     "The certificate was revoked. Call the operator."},
    {BRUG_TLS_WRONG_USE, "Het certificaat is niet voor dit gebruik bedoeld. Bel de beheerder.",
     "The certificate is not meant for this use. Call the operator."},
    {BRUG_TLS_CRL_STALE, "De lijst van ingetrokken certificaten is verouderd. Maak verbinding met `brug sync`. Blijft dit? Bel de beheerder.",
     "The list of revoked certificates is out of date. Connect with `brug sync`; if this stays, call the operator."},
    {BRUG_TLS_WRONG_PROTOCOL, "Op dit adres antwoordt geen Brug. Kijk of het adres en de poort kloppen.",
     "What answers at this address is not Brug. Check the address and the port."},
    {BRUG_TLS_BROKEN, "De beveiligde verbinding is mislukt. Brug probeert het vanzelf opnieuw.",
     "The secure connection failed. Brug tries again by itself."},
    {BRUG_TLS_WEAK, "Het certificaat is te zwak. Vraag de beheerder om een nieuw certificaat.",
     "The certificate is too weak. Ask the operator for a new one."},
    {BRUG_NOT_ENROLLED, "Deze aansluiting is niet bekend bij Brug. Vraag de beheerder of de aanmelding klaar is.",
     "The relay does not know this endpoint. Ask the operator whether the enrolment is finished."},
    {BRUG_SUSPENDED, "Deze aansluiting is tijdelijk uitgezet. Bel de beheerder. Uw berichten blijven bewaard.",
     "This endpoint is suspended. Call the operator. Your messages are kept."},
    {BRUG_SESSION_REPLACED, "Dezelfde aansluiting is ergens anders ook gestart. Gebruik Brug op één plek tegelijk.",
     "The same endpoint was started somewhere else. Use Brug in one place at a time."},
    {BRUG_UPDATE_CLIENT, "Deze versie van Brug is te oud voor dit bericht of deze verbinding. Werk Brug bij.",
     "This version of Brug is too old for this message or connection. Update Brug."},
    {BRUG_HELLO_EXPECTED, "De verbinding begon verkeerd. Start Brug opnieuw.", "The connection began wrongly. Start Brug again."},
    {BRUG_HELLO_TIMEOUT, "De verbinding was te traag. Brug probeert het vanzelf opnieuw.", "The connection was too slow. Brug tries again by itself."},
    {BRUG_FRAME_TOO_LARGE, "Er kwam een te groot bericht over de verbinding. Meld dit aan de beheerder.", "A frame on the connection was too large. Tell the operator."},
    {BRUG_FRAME_MALFORMED, "Er kwam een onleesbaar bericht over de verbinding. Meld dit aan de beheerder.", "A frame on the connection could not be read. Tell the operator."},
    {BRUG_FRAME_TOO_COMPLEX, "Er kwam een te ingewikkeld bericht over de verbinding. Meld dit aan de beheerder.", "A frame on the connection was too complex. Tell the operator."},
    {BRUG_FRAME_TRUNCATED, "De verbinding viel weg. Brug probeert het vanzelf opnieuw.", "The connection was cut off. Brug tries again by itself."},
    {BRUG_IDLE_TIMEOUT, "De verbinding was te lang stil. Brug maakt vanzelf opnieuw verbinding.", "The connection was silent for too long. Brug connects again by itself."},
    {BRUG_SHUTTING_DOWN, "Brug wordt even opnieuw gestart. Uw berichten blijven bewaard en gaan daarna vanzelf weg.", "The relay is restarting. Your messages are kept and go out by themselves afterwards."},
    {BRUG_TOO_MANY_CONNECTIONS, "Het is nu erg druk. Brug probeert het vanzelf opnieuw.", "It is very busy now. Brug tries again by itself."},
    {BRUG_CREDIT_EXCEEDED, "Brug vroeg te veel tegelijk. Meld dit aan de beheerder.", "Brug asked for too much at once. Tell the operator."},
    {BRUG_WRITE_STALLED, "De verbinding liep vast. Brug probeert het vanzelf opnieuw.", "The connection stalled. Brug tries again by itself."},
    {BRUG_TLS_KEY_UPDATES, "De beveiligde verbinding deed vreemd. Meld dit aan de beheerder.", "The secure connection behaved strangely. Tell the operator."},
    {BRUG_UPDATE_RELAY, "Dit soort bericht kan nog niet via Brug. Gebruik een gewoon bericht, of bel.", "Brug cannot carry this kind of message yet. Use a note, or call."},
    {BRUG_UPDATE_SENDER, "De afzender gebruikt een andere versie van Brug. Werk Brug bij.", "The sender uses another version of Brug. Update Brug."},
    {BRUG_HEADER_MALFORMED, "Het bericht is niet goed ingevuld. Kijk het na en stuur het opnieuw.", "The message is not filled in well. Check it and send it again."},
    {BRUG_ID_MALFORMED, "Dit is geen goed nummer of kenmerk. Kijk het na.", "This is not a valid id. Check it."},
    {BRUG_CODE_UNKNOWN, "Een keuze staat niet in de lijst. Kies er een uit de lijst.", "A choice is not in the list. Choose one of the list."},
    {BRUG_CODE_MISSING, "Er ontbreekt een verplichte keuze. Vul hem in en stuur het opnieuw.", "A choice that is needed is missing. Fill it in and send again."},
    {BRUG_FIELD_NOT_ALLOWED, "Dit veld hoort niet bij dit soort bericht. Haal het weg.", "This field does not belong to this kind of message. Remove it."},
    {BRUG_SENDER_MISMATCH, "De afzender hoort niet bij deze aansluiting. Bel de beheerder.", "The sender does not belong to this endpoint. Call the operator."},
    {BRUG_ROLE_NOT_ALLOWED, "Met uw rol kunt u dit niet doen. Mag een collega het wel, vraag het dan die.",
     "Your role may not do this. If a colleague may, ask them."},
    {BRUG_MESSAGE_TOO_LARGE, "Het bericht is te groot. Haal bijlagen weg of maak ze kleiner.", "The message is too large. Remove attachments or make them smaller."},
    {BRUG_TOO_MANY_READERS, "Er zijn te veel ontvangers. Bel de beheerder.", "There are too many readers. Call the operator."},
    {BRUG_ID_REUSED, "Dit bericht is al eerder anders verstuurd. Schrijf een nieuw bericht.", "This message was sent before with other contents. Write a new one."},
    {BRUG_NOTHING_SEALED, "Het bericht is leeg. Schrijf het opnieuw.", "The message is empty. Write it again."},
    {BRUG_NOT_OVER, "Deze periode is nog niet voorbij. Kies een eerdere met --from.", "This period is not over yet. Choose an earlier one with --from."},
    {BRUG_NOT_BEGUN, "In deze periode werd hier nog niet met Brug gewerkt. Kies een latere met --from.", "Brug was not in use here yet in this period. Choose a later one with --from."},
    {BRUG_REQUEST_MALFORMED, "Brug begreep de vraag niet. Werk Brug bij.", "The relay did not understand the request. Update Brug."},
    {BRUG_CLOCK_AHEAD, "De klok van uw computer loopt voor. Zet hem goed. Uw bericht gaat daarna vanzelf weg.", "The clock of your computer is ahead. Set it right; your message then goes out by itself."},
    {BRUG_DIRECTORY_CHANGED, "De lijst van ontvangers is veranderd. Brug verzegelt het bericht vanzelf opnieuw.", "The list of readers has changed. Brug seals the message again by itself."},
    {BRUG_QUOTA_FULL, "Er wachten te veel berichten die nog niemand heeft opgehaald. Uw bericht blijft bewaard en gaat later vanzelf weg. Kan het niet wachten? Bel.", "Too many messages wait to be fetched. Yours is kept and goes out later by itself. If it cannot wait, call."},
    {BRUG_FULL, "Brug heeft nu geen ruimte. Uw bericht blijft bewaard en gaat later vanzelf weg. Kan het niet wachten? Bel.", "The relay has no room now. Your message is kept and goes out later by itself. If it cannot wait, call."},
    {BRUG_BUSY, "Brug is nu erg druk. Wat u schreef blijft bewaard en gaat zo vanzelf weg. Vroeg u iets op? Vraag het straks nog eens.", "The relay is very busy. What you wrote is kept and goes out soon by itself. If you asked for something, ask again in a while."},
    {BRUG_UNKNOWN_ADDRESSEE, "Aan deze organisatie kunt u niet schrijven via Brug. Kijk in `brug directory`, of bel.", "You cannot write to this organisation through Brug. Look in `brug directory`, or call."},
    {BRUG_NO_READER, "Bij deze organisatie kan nu niemand uw bericht lezen. Bel de organisatie.", "Nobody of this organisation can read your message now. Call them."},
    {BRUG_NO_SUCH_CASE, "Deze casus bestaat niet tussen uw organisatie en de andere. Kijk de code na.", "There is no such case between your organisation and the other. Check the code."},
    {BRUG_CASE_EXISTS, "Deze casus bestaat al. Stuur een bericht in de casus die er is.", "This case exists already. Send a message in the case that is there."},
    {BRUG_NOT_ADDRESSABLE, "Deze organisatie kan nog geen berichten krijgen: zij heeft één aansluiting en geen herstelsleutel. Bel de organisatie of de beheerder.", "This organisation cannot receive messages yet: it has one endpoint and no recovery key. Call them or the operator."},
    {BRUG_NO_SUCH_MESSAGE, "Dit bericht is er niet, of is niet van u. Kijk het nummer na.", "There is no such message of yours or for you. Check the number."},
    {BRUG_NO_SUCH_OBJECT, "Dit staat niet in de lijst van aansluitingen. Kijk het na.", "This is not in your directory. Check it."},
    {BRUG_BAD_SIGNATURE, "Een handtekening klopt niet. Gebruik dit niet en bel de beheerder.", "A signature does not hold. Do not use this; call the operator."},
    {BRUG_NOT_ACKNOWLEDGED, "De aansluiting van de ontvanger haalt dit bericht telkens op en bevestigt het niet. Bel de ontvanger.", "The reader's client is given this message again and again and does not acknowledge it. Call the reader."},
    {BRUG_CASE_REFERRED, "Niemand heeft deze casus al opgepakt. U kunt nu oppakken, niet oppakken voorstellen, intrekken of iets vragen.",
     "Nobody has taken this case up yet. You can claim it, propose to decline, withdraw, or ask."},
    {BRUG_CASE_CLARIFYING, "De vraag in deze casus wordt nog helder gemaakt. Kijk met `brug case` wat nu kan.",
     "The question in this case is still being clarified. `brug case` shows what can be done now."},
    {BRUG_CASE_SUPPORT, "De hulp in deze casus is al gestart. Kijk met `brug case` wat nu kan.",
     "Support has already started in this case. `brug case` shows what can be done now."},
    {BRUG_CASE_CONSULTING, "Dit is een consultatie. Geef advies, of stel een vraag.",
     "This is a consult. Give the advice, or ask."},
    {BRUG_CASE_ENDED, "Deze casus is afgelopen. U kunt nog wel iets vragen, een vraag beantwoorden of een bericht sturen.",
     "This case has ended. You can still ask, answer a question, or send a note."},
    {BRUG_CASE_TAKEN, "Een collega heeft deze casus al opgepakt.",
     "A colleague has already taken this case up."},
    {BRUG_NOT_DIRECTOR, "Dit kan nu alleen de casusregisseur. Vraag om overdracht van de casus.",
     "Only the director of the case can do this now. Ask for a handover."},
    {BRUG_NOT_PROPOSER, "Alleen wie het voorstel deed, of de teamleider, kan het intrekken.",
     "Only who made the proposal, or the leader, can retract it."},
    {BRUG_PROPOSAL_WAITS, "Er wacht nog een voorstel op antwoord. Beantwoord het of trek het in.",
     "A proposal still waits for its answer. Answer it, or retract it."},
    {BRUG_NO_PROPOSAL, "Er is geen voorstel dat op antwoord wacht.",
     "There is no proposal that waits for an answer."},
    {BRUG_BRIDGING_IN_FORCE, "Er loopt nog overbruggingszorg. Beëindig die eerst.",
     "Bridging care is still in force. End it first."},
    {BRUG_NO_BRIDGING, "Er loopt geen overbruggingszorg.",
     "No bridging care is in force."},
    {BRUG_STILL_OWED, "U kunt nog niet afsluiten: het team moet eerst nog iets laten weten. Kijk met `brug case` wat.",
     "You cannot close yet: the team still owes something. `brug case` shows what."},
    {BRUG_NOT_OWED, "Dit stond niet (meer) open. Kijk met `brug case` wat er nog openstaat.",
     "This is not owed (any more). `brug case` shows what is."},
    {BRUG_DELAYED_BEFORE, "Dit is al een keer uitgesteld. Nog een keer kan niet.",
     "This was given a new date before. That is possible once."},
    {BRUG_OUTCOME_NOT_ALLOWED, "Met deze uitkomst kunt u hier niet afsluiten.",
     "This outcome cannot be given here."},
    {BRUG_DATE_NOT_ALLOWED, "De datum is voorbij of ligt meer dan een jaar vooruit.",
     "The date has passed or is more than a year ahead."},
    {BRUG_NO_SUCH_DIRECTOR, "Kies een andere consulent van het team, die nu werkt.",
     "Choose another active consultant of the team."},
    {BRUG_TOO_MUCH_OWED, "Er wachten al te veel vragen op antwoord in deze casus. Bel het team.",
     "Too many questions wait for an answer in this case. Call the team."},
    {BRUG_FAMILY_KEY_MOVED, "Een collega heeft de gezinssleutel van het team net vernieuwd. Brug regelt dit vanzelf.",
     "A colleague has just renewed the team's family key. Brug sees to it by itself."},
    {BRUG_FAMILY_LINKED, "Dit gezin heeft nog een lopende casus in uw team. Overleg met die casusregisseur.",
     "This family has another open case in your team. Confer with its director."},
    {BRUG_LETTER_PROFILE, "Deze brief heeft niet de vorm die Brug vertrouwt en is niet geopend. Bel de afzender.", "This letter does not have the form that Brug trusts and was not opened. Call the sender."},
    {BRUG_LETTER_NOT_FOR_ME, "Deze brief is niet voor deze aansluiting verzegeld. Vraag een collega, of bel de afzender.", "This letter is not sealed for this endpoint. Ask a colleague, or call the sender."},
    {BRUG_LETTER_DECRYPT, "Deze brief is onderweg veranderd of beschadigd en is niet geopend. Bel de afzender.", "This letter was changed or damaged on its way and was not opened. Call the sender."},
    {BRUG_LETTER_SIGNATURE, "De handtekening van deze brief klopt niet. Vertrouw hem niet en bel de afzender.", "The signature of this letter does not hold. Do not trust it; call the sender."},
    {BRUG_LETTER_SIGNER, "De ondertekenaar is niet de afzender die erop staat. Vertrouw de brief niet en bel de afzender.", "The signer is not the sender that it names. Do not trust the letter; call the sender."},
    {BRUG_LETTER_HEADER, "Deze brief hoort bij een ander bericht. Vertrouw hem niet en bel de afzender.", "This letter belongs to another message. Do not trust it; call the sender."},
    {BRUG_LETTER_CONTENT, "De inhoud van deze brief klopt niet. Bel de afzender.", "The content of this letter is not valid. Call the sender."},
    {BRUG_NO_MEMORY, "Uw computer heeft te weinig geheugen. Sluit programma's en probeer het opnieuw.", "Your computer is out of memory. Close programs and try again."},
    {BRUG_IO, "Lezen, schrijven of verbinden is mislukt. Kijk naar de schijf en het netwerk. Wat u schreef blijft bewaard.", "Reading, writing or connecting failed. Look at the disk and the network. What you wrote is kept."},
    {BRUG_CONFIG, "Een instelling is niet goed. Kijk de instellingen na.", "A setting is not valid. Check the settings."},
    {BRUG_BOUND, "Iets is te lang of te groot. Maak het korter.", "Something is too long or too large. Make it shorter."},
    {BRUG_CORRUPT, "De opslag van Brug op deze computer is beschadigd. Stop en bel de beheerder.", "Brug's store on this computer is damaged. Stop and call the operator."},
    {BRUG_STORE_FORMAT, "De opslag is van een nieuwere versie van Brug. Werk Brug bij.", "The store is of a newer version of Brug. Update Brug."},
    {BRUG_NOT_FOUND, "Niet gevonden. Kijk het nummer of de naam na.", "Not found. Check the number or the name."},
    {BRUG_EXISTS, "Dit is er al. Er is niets veranderd.", "This exists already. Nothing was changed."},
    {BRUG_LOCKED, "Brug is op deze computer al bezig. Wat u schreef gaat vanzelf mee.", "Brug is already at work on this computer. What you wrote goes along by itself."},
    {BRUG_CRYPTO, "Het versleutelen is mislukt. Probeer het opnieuw. Helpt dat niet? Bel de beheerder.", "The cryptographic library failed. Try again; if that does not help, call the operator."},
    {BRUG_PERMISSION, "Brug mag een bestand niet gebruiken, of anderen kunnen uw sleutel lezen. Doe wat de regel hierboven zegt.", "Brug may not use a file, or others can read your key. Do what the line above says."},
    {BRUG_USAGE, "De opdracht klopt niet. Kijk met --help hoe hij werkt.", "The command is not right. See --help."},
    {BRUG_NOT_BELIEVED, "Wat Brug over deze organisatie of dit antwoord zegt, klopt niet met uw eigen gegevens. Er is niets verzegeld. Bel de organisatie of de beheerder.", "What the relay says of this organisation or answer does not agree with what you hold. Nothing was sealed. Call the organisation or the operator."},
    {BRUG_CONFIRM, "Hier moet eerst iemand iets bevestigen. Kijk met `brug trust` wat er wacht, vergelijk de code en bevestig.", "A person must confirm something first. See with `brug trust` what waits, compare the code and confirm."},
};
/* clang-format on */

const char *brug_error_sentence(int error, enum brug_language language)
{
    for (size_t i = 0; i < sizeof SENTENCES / sizeof SENTENCES[0]; i++)
        if (SENTENCES[i].code == error)
            return language == BRUG_ENGLISH ? SENTENCES[i].english : SENTENCES[i].dutch;
    return language == BRUG_ENGLISH
               ? "Something went wrong that this version does not know. Update Brug."
               : "Er ging iets mis dat deze versie niet kent. Werk Brug bij.";
}

/* ---- lists ---- */

_Static_assert((int)BRUG_LIST_FIGURE_FORM == (int)CODE_LIST_FIGURE_FORM &&
                   (int)BRUG_LIST_OUTCOME == (int)CODE_LIST_OUTCOME,
               "lists of codes have one number");

struct list_row {
    int number;
    const char *word, *dutch, *english;
};

static const struct list_row GROUNDS[] = {
    {BRUG_GROUND_CONSENT, "consent", "Toestemming", "Consent"},
    {BRUG_GROUND_NECESSITY, "necessity", "Noodzaak", "Necessity"},
};

static const struct list_row ROLES[] = {
    {BRUG_ROLE_GP, "gp", "Huisarts", "GP"},
    {BRUG_ROLE_LOCUM, "locum", "Waarnemer", "Locum"},
    {BRUG_ROLE_ASSISTANT, "assistant", "Assistent", "Assistant"},
    {BRUG_ROLE_CONSULTANT, "consultant", "Sociaal consulent", "Consultant"},
    {BRUG_ROLE_LEADER, "leader", "Teamleider", "Team leader"},
    {BRUG_ROLE_OBSERVER, "observer", "Meekijker cijfers", "Observer of figures"},
    {BRUG_ROLE_SYSTEM, "system", "Praktijksysteem", "Practice system"},
};

static const struct list_row *own_rows(enum brug_list list, size_t *n)
{
    *n = list == BRUG_LIST_GROUND ? sizeof GROUNDS / sizeof GROUNDS[0]
                                  : sizeof ROLES / sizeof ROLES[0];
    return list == BRUG_LIST_GROUND ? GROUNDS : ROLES;
}

static bool is_own_list(enum brug_list list)
{
    return list == BRUG_LIST_GROUND || list == BRUG_LIST_ROLE;
}

static struct list_row row_at(enum brug_list list, size_t position)
{
    size_t n = 0;
    if (is_own_list(list)) {
        const struct list_row *rows = own_rows(list, &n);
        return position < n ? rows[position] : (struct list_row){.number = -1};
    }
    const struct code_row *rows = codes_rows((enum code_list)list, &n);
    if (position >= n)
        return (struct list_row){.number = -1};
    return (struct list_row){rows[position].number, rows[position].word, rows[position].dutch,
                             rows[position].english};
}

static struct list_row row_of(enum brug_list list, int number)
{
    for (size_t i = 0;; i++) {
        struct list_row row = row_at(list, i);
        if (row.number == number || row.number < 0)
            return row;
    }
}

int brug_list_number(enum brug_list list, size_t position) { return row_at(list, position).number; }

const char *brug_list_word(enum brug_list list, int number)
{
    struct list_row row = row_of(list, number);
    return row.word ? row.word : "";
}

const char *brug_list_text(enum brug_list list, int number, enum brug_language language)
{
    struct list_row row = row_of(list, number);
    if (!row.word)
        return language == BRUG_ENGLISH ? "not known to this version"
                                        : "niet bekend in deze versie";
    return language == BRUG_ENGLISH ? row.english : row.dutch;
}

int brug_list_find(enum brug_list list, const char *word)
{
    for (size_t i = 0;; i++) {
        struct list_row row = row_at(list, i);
        if (row.number < 0 || strcmp(row.word, word) == 0)
            return row.number;
    }
}
