/* client/cmd/table.c: see table.h; a row a line. */
#include "client/cmd/table.h"

#include <stddef.h>

#define ROW(shape, name, field, dutch, english) \
    { \
        name, shape, offsetof(struct cmd, field), 0, dutch, english, false \
    }
#define TEXT(name, field, dutch, english) ROW(SHAPE_TEXT, name, field, dutch, english)
#define FLAG(name, field, dutch, english) ROW(SHAPE_FLAG, name, field, dutch, english)
#define LIST(name, field, dutch, english) \
    { \
        name, SHAPE_LIST, offsetof(struct cmd, field), offsetof(struct cmd, field##_n), dutch, \
            english, false \
    }
#define GENERAL(shape, name, field, dutch, english) \
    { \
        name, shape, offsetof(struct cmd, field), 0, dutch, english, true \
    }

/* clang-format off */
const struct option_row TABLE_OPTIONS[] = {
    GENERAL(SHAPE_TEXT, "profile", profile, "map van het profiel (anders $BRUG_HOME of de XDG-plaats)", "the profile's directory (else $BRUG_HOME or the XDG place)"),
    GENERAL(SHAPE_FLAG, "json", is_json, "uitvoer voor programma's", "output for programs"),
    GENERAL(SHAPE_LANGUAGE, "lang", language, "nl of en", "nl or en"),
    TEXT("relay", relay, "HOST:POORT van de relay, in plaats van die uit de aanmelding", "HOST:PORT of the relay, instead of the one from the enrolment"),
    TEXT("invitation", invitation, "bestand met de uitnodiging, of -", "file with the invitation, or -"),
    TEXT("answer", answer, "bestand met het antwoord van de beheerder, of -", "file with the operator's answer, or -"),
    TEXT("code", code, "de code die de beheerder voorlas", "the code as the operator read it"),
    FLAG("recovery", is_recovery, "maak een herstelsleutel van de organisatie", "make a recovery entry of the organisation"),
    TEXT("out", out, "schrijf naar dit bestand", "write to this file"),
    TEXT("fingerprint", fingerprint, "de vingerafdruk die u vergeleek", "the fingerprint that you compared"),
    TEXT("reason", reason, "reden", "reason"),
    TEXT("type", type, "wat u vraagt", "what you ask for"),
    LIST("moment", moments, "wanneer u meer wilt horen; mag vaker", "when you want to hear more; may be repeated"),
    TEXT("youth", youth, "bestand met gegevens van de jongere (naam: …, geboren: …)", "file about the youth (name: …, born: …)"),
    TEXT("name", name, "naam van de jongere", "the youth's name"),
    TEXT("born", born, "geboortedatum, 2013-04-17 of 17-04-2013", "birth date, 2013-04-17 or 17-04-2013"),
    TEXT("bsn", bsn, "BSN (mag weg)", "BSN (optional)"),
    LIST("telephone", telephones, "telefoonnummer; mag vaker", "telephone number; may be repeated"),
    TEXT("address", address, "adres van de jongere", "the youth's address"),
    TEXT("letter", letter, "bestand met de brief, of -", "file with the letter, or -"),
    TEXT("subject", subject, "de vraag in het kort", "the question in short"),
    LIST("attach", attachments, "bijlage; mag vaker", "attachment; may be repeated"),
    TEXT("ground", ground, "grond om te delen: consent (toestemming) of necessity (noodzaak)", "ground for sharing: consent or necessity"),
    FLAG("yes", is_yes, "vraag niets", "ask nothing"),
    TEXT("person", person, "wie handelt (alleen voor een praktijksysteem)", "who acts (practice systems only)"),
    TEXT("on-behalf", on_behalf, "namens wie", "on whose behalf"),
    TEXT("kind", kind, "soort bericht", "kind of message"),
    TEXT("to", to, "organisatie", "organisation"),
    TEXT("reply-to", reply_to, "het bericht waarop dit antwoordt", "the message that this answers"),
    TEXT("wait", wait, "hoeveel seconden op de relay wachten (0: niet)", "how many seconds to wait for the relay (0: not)"),
    FLAG("all", is_all, "ook wat al geopend is", "also what was opened already"),
    FLAG("plain", is_plain, "leesbaar, voor het dossier", "readable, for the dossier"),
    FLAG("header", is_header, "de kop in plaats van het verzegelde deel", "the header instead of the sealed part"),
    FLAG("refresh", is_refresh, "vraag de relay eerst", "ask the relay first"),
    TEXT("outcome", outcome, "uitkomst bij afsluiting", "outcome at the closing"),
    TEXT("conversations", conversations, "aantal gesprekken", "number of conversations"),
    TEXT("involvement", involvement, "is het sociaal team al betrokken?", "is the social team involved already?"),
    TEXT("called-on", called_on, "datum van het telefoongesprek", "date of the telephone call"),
    TEXT("until", until, "nieuwe datum, of laatste dag", "new date, or last day"),
    TEXT("what", what, "wat u uitstelt", "what you delay"),
    TEXT("carrier", carrier, "wie de overbruggingszorg geeft", "who gives the bridging care"),
    TEXT("suicidality", suicidality, "gedachten aan zelfdoding?", "thoughts of suicide?"),
    TEXT("somatic", somatic, "lichamelijke problemen?", "somatic problems?"),
    TEXT("who", who, "wie doet wat?", "who does what?"),
    TEXT("evening", evening, "wie is 's avonds bereikbaar?", "who can be reached in the evening?"),
    TEXT("linked", linked, "de casus waarop deze verwijzing volgt", "the case that this referral follows"),
    FLAG("withheld", is_withheld, "wij mogen niet meer delen; daar is geen toestemming voor", "we may not share more; there is no consent for it"),
    FLAG("bridging", is_bridging, "het gaat om de overbruggingszorg", "it is about the bridging care"),
    FLAG("end", is_end, "beëindig de overbruggingszorg", "end the bridging care"),
    FLAG("team", is_team, "van de hele organisatie", "of the whole organisation"),
    FLAG("ended", is_ended, "ook wat is afgelopen", "also what has ended"),
    TEXT("period", period, "periode", "period"),
    TEXT("from", from, "een dag in de periode, of 2026-Q3, of 2026", "a day in the period, or 2026-Q3, or 2026"),
    FLAG("published", is_published, "van alle teams, zoals anderen ze zien", "of all teams, as others see them"),
    FLAG("csv", is_csv, "als CSV", "as CSV"),
    FLAG("practices", is_practices, "aan alle praktijken", "to all practices"),
    GENERAL(SHAPE_FLAG, "help", wants_help, "deze hulp", "this help"),
    GENERAL(SHAPE_FLAG, "version", wants_version, "versie", "version"),
    {NULL},
};
/* clang-format on */

_Static_assert(sizeof TABLE_OPTIONS / sizeof TABLE_OPTIONS[0] <= TABLE_OPTIONS_MAX,
               "raise TABLE_OPTIONS_MAX");

#define RISKS "--suicidality --somatic --who --evening "
#define WRITING " --letter --subject --attach --person --on-behalf --reply-to --wait --yes "

/* clang-format off */
const struct command_row TABLE_COMMANDS[] = {
    {"init", cmd_init, false, 0, 0, " --invitation --answer --code --recovery --out --relay ",
     "--invitation FILE [--recovery] [--out FILE] | --answer FILE [--code CODE] [--relay HOST:PORT]",
     "meld dit profiel aan: eerst met de uitnodiging, dan met het antwoord",
     "enrol this profile: first with the invitation, then with the answer", {{NULL, 0}}},
    {"whoami", cmd_whoami, false, 0, 0, " ", "", "wie dit profiel is, en hoe het met de verbinding staat", "who this profile is, and how its connection is", {{NULL, 0}}},
    {"trust", cmd_trust, true, 0, 1, " --fingerprint --refresh --wait ", "[ORGANISATION [--fingerprint CODE]]",
     "wat u moet bevestigen; of bevestig een organisatie", "what you must confirm; or confirm an organisation", {{NULL, 0}}},
    {"directory", cmd_directory, true, 0, 1, " --refresh --wait ", "[ORGANISATION] [--refresh]",
     "teams en praktijken", "teams and practices", {{NULL, 0}}},
    {"refer", cmd_refer, true, 1, 1,
     WRITING "--reason --type --moment --youth --name --born --bsn --telephone --address --ground --linked ",
     "TEAM --reason R --type T --ground G (--youth FILE | --name N --born D) --letter FILE [--moment M]… [--attach FILE]…",
     "verwijs een jongere naar een team", "refer a youth to a team",
     {{"--reason", BRUG_LIST_REASON}, {"--type", BRUG_LIST_REQUEST_TYPE}, {"--ground", BRUG_LIST_GROUND}}},
    {"consult", cmd_consult, true, 1, 1, WRITING, "TEAM --letter FILE", "vraag een team om advies, zonder een jongere te verwijzen", "ask a team for advice, without referring a youth", {{NULL, 0}}},
    {"cases", cmd_cases, true, 0, 0, " --team --ended --wait ", "[--team] [--ended]", "de casussen van u, of van uw organisatie", "your cases, or those of your organisation", {{NULL, 0}}},
    {"case", cmd_case, true, 1, 1, " --wait ", "CASE", "een casus: de brieven, de regie, wat openstaat en wat nu kan", "a case: its letters, custody, what is owed and what can be done now", {{NULL, 0}}},
    {"owed", cmd_owed, true, 0, 0, " --team --wait ", "[--team]", "wat u nog moet doen, en wat u nog krijgt", "what you still owe, and what you are owed", {{NULL, 0}}},
    {"figures", cmd_figures, true, 0, 1, " --period --from --published --csv --wait ", "[TEAM] [--period P] [--from WHEN] [--published] [--csv]", "cijfers over een periode: van uw eigen team, of zoals ze gepubliceerd zijn", "figures of a period: of your own team, or as they are published",
     {{"--period", BRUG_LIST_FIGURE_PERIOD}}},
    {"claim", cmd_claim, true, 1, 1, WRITING, "CASE [--letter FILE]", "pak een casus op", "take a case up", {{NULL, 0}}},
    {"handover", cmd_handover, true, 2, 2, WRITING, "CASE COLLEAGUE [--letter FILE]", "draag een casus over aan een collega", "hand a case over to a colleague", {{NULL, 0}}},
    {"start", cmd_start, true, 1, 1, WRITING "--involvement ", "CASE --involvement I --letter FILE", "de hulp start: terugkoppeling aan de huisarts", "support starts: feedback to the GP",
     {{"--involvement", BRUG_LIST_INVOLVEMENT}}},
    {"interim", cmd_interim, true, 1, 1, WRITING "--moment --withheld ", "CASE [--moment M] (--letter FILE | --withheld)", "tussentijdse terugkoppeling, ook op een moment dat de huisarts noemde", "feedback in between, also at a moment that the GP named", {{NULL, 0}}},
    {"ask", cmd_ask, true, 1, 1, WRITING, "CASE --letter FILE", "vraag het team om informatie; er hoort een antwoord bij", "ask the team for information; an answer is owed", {{NULL, 0}}},
    {"answer", cmd_answer, true, 1, 1, WRITING "--withheld ", "CASE [--reply-to NUMBER] (--letter FILE | --withheld)", "beantwoord een vraag om informatie", "answer a request for information", {{NULL, 0}}},
    {"delay", cmd_delay, true, 1, 1, WRITING "--what --until ", "CASE --until DATE [--what W] --letter FILE", "stel één keer uit wat het team moet doen", "give what the team owes another date, once",
     {{"--what", BRUG_LIST_OWED_KIND}}},
    {"decline", cmd_decline, true, 1, 1, WRITING "--reason --called-on --to ", "CASE --reason R [--called-on DATE | --to TEAM] --letter FILE", "stel voor om een casus niet op te pakken", "propose not to take a case up",
     {{"--reason", BRUG_LIST_DECLINE_REASON}}},
    {"stop", cmd_stop, true, 1, 1, WRITING "--reason ", "CASE --reason R --letter FILE", "stel voor om te stoppen", "propose to stop",
     {{"--reason", BRUG_LIST_STOP_REASON}}},
    {"agree", cmd_agree, true, 1, 1, WRITING RISKS "--bridging ", "CASE [--letter FILE] [--bridging --suicidality S --somatic S --who TEXT --evening TEXT]", "akkoord met een voorstel, of met overbruggingszorg", "agree to a proposal, or to bridging care", {{NULL, 0}}},
    {"object", cmd_object, true, 1, 1, WRITING "--bridging ", "CASE [--letter FILE]", "niet akkoord met een voorstel, of met overbruggingszorg", "object to a proposal, or to bridging care", {{NULL, 0}}},
    {"retract", cmd_retract, true, 1, 1, WRITING, "CASE [--reply-to NUMBER] [--letter FILE]", "trek een voorstel van uw kant in", "retract a proposal of your side", {{NULL, 0}}},
    {"bridge", cmd_bridge, true, 1, 1, WRITING RISKS "--carrier --until --end ", "CASE --carrier C --until DATE --suicidality S --somatic S --who TEXT --evening TEXT [--letter FILE] | CASE --end", "stel overbruggingszorg voor, of beëindig die", "propose bridging care, or end it",
     {{"--carrier", BRUG_LIST_BRIDGING_CARRIER}}},
    {"close", cmd_close, true, 1, 1, WRITING "--outcome --conversations --called-on ", "CASE --outcome O [--conversations N] --letter FILE", "sluit een casus af", "close a case",
     {{"--outcome", BRUG_LIST_OUTCOME}}},
    {"withdraw", cmd_withdraw, true, 1, 1, WRITING, "CASE [--letter FILE]", "trek een verwijzing in", "withdraw a referral", {{NULL, 0}}},
    {"advise", cmd_advise, true, 1, 1, WRITING, "CASE --letter FILE", "geef advies in een consultatie", "give the advice in a consult", {{NULL, 0}}},
    {"note", cmd_note, true, 1, 1, WRITING, "CASE --letter FILE", "schrijf een bericht in een casus", "write a note in a case", {{NULL, 0}}},
    {"notice", cmd_notice, true, 0, CMD_VALUES_MAX, WRITING "--practices ", "(ORGANISATION… | --practices) --letter FILE", "stuur een mededeling, niet over een patiënt", "send a notice, about no patient", {{NULL, 0}}},
    {"history", cmd_history, true, 1, 2, " --person --wait ", "COLLEAGUE [CASE]", "geef een collega de eerdere brieven van lopende casussen, of van één casus", "hand the earlier letters of running cases, or of one case, on to a colleague", {{NULL, 0}}},
    {"recover", cmd_recover, true, 1, 1, " --out ", "FILE [--out FILE]", "haal brieven terug als alle sleutels van de organisatie weg zijn", "restore letters when all keys of the organisation are lost", {{NULL, 0}}},
    {"send", cmd_send, true, 0, 1, WRITING "--kind --to ", "CASE --kind note --letter FILE | --to ORGANISATION --kind notice --letter FILE",
     "schrijf in een casus, of stuur een mededeling", "write in a case, or send a notice", {{NULL, 0}}},
    {"discard", cmd_discard, true, 1, 1, " ", "NUMBER", "trek een brief terug die nog niet weg is", "give up a letter that has not left yet", {{NULL, 0}}},
    {"sync", cmd_sync, true, 0, 0, " --wait ", "[--wait SECONDS]", "verzend en ontvang", "send and receive", {{NULL, 0}}},
    {"watch", cmd_watch, true, 0, 0, " --wait ", "[--wait SECONDS]", "blijf verbonden en meld wat er komt", "stay connected and tell what comes", {{NULL, 0}}},
    {"inbox", cmd_inbox, true, 0, 0, " --all ", "[--all]", "ontvangen berichten", "received messages", {{NULL, 0}}},
    {"sent", cmd_sent, true, 0, 1, " --refresh --wait ", "[NUMBER] [--refresh]", "verzonden brieven, met de feiten", "sent letters, with the facts", {{NULL, 0}}},
    {"find", cmd_find, true, 1, CMD_VALUES_MAX, " ", "WORD…", "zoek op naam, geboortedatum, code of tekst", "search by name, birth date, code or text", {{NULL, 0}}},
    {"show", cmd_show, true, 1, 1, " --person --wait ", "NUMBER|CASE", "open een brief", "open a letter", {{NULL, 0}}},
    {"export", cmd_export, true, 1, 1, " --plain --header --out ", "NUMBER|CASE [--plain | --header] [--out FILE]",
     "een brief verzegeld (CMS), of leesbaar voor het dossier", "a letter sealed (CMS), or readable for the dossier", {{NULL, 0}}},
    {.name = NULL},
};
/* clang-format on */
