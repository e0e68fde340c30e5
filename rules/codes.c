/*
 * rules/codes.c: the closed lists, one row a code. Dutch as people read it; [..] is filled in by the
 * screen. There is no request code for serious problems, specialist care, diagnosis or treatment
 * [R05] [R06] [R07].
 */
#include "rules/codes.h"
#include <string.h>

/* clang-format off */
#define ROW(list, name, word, dutch, english) \
    {CODE_LIST_##list, BRUG__V1__##list##__##list##_##name, word, dutch, english}

/* Rows of one list stand together, in the order in which people choose from them. */
static const struct code_row ROWS[] = {
    ROW(KIND, REFERRAL, "referral", "Verwijzing", "Referral"),
    ROW(KIND, CONSULT, "consult", "Consultatie", "Consult"),
    ROW(KIND, ADVICE, "advice", "Advies", "Advice"),
    ROW(KIND, CLAIM, "claim", "Opgepakt", "Taken up"),
    ROW(KIND, HANDOVER, "handover", "Overdracht aan een collega", "Handover to a colleague"),
    ROW(KIND, START, "start", "Terugkoppeling bij start", "Feedback at the start"),
    ROW(KIND, INTERIM, "interim", "Tussentijdse terugkoppeling", "Feedback in between"),
    ROW(KIND, DELAY, "delay", "Uitstel", "Delay"),
    ROW(KIND, INFO_REQUEST, "info-request", "Vraag om informatie", "Request for information"),
    ROW(KIND, INFO_REPLY, "info-reply", "Antwoord op een vraag", "Answer to a request"),
    ROW(KIND, DECLINE_PROPOSAL, "decline-proposal", "Voorstel om niet op te pakken", "Proposal not to take up"),
    ROW(KIND, STOP_PROPOSAL, "stop-proposal", "Voorstel om te stoppen", "Proposal to stop"),
    ROW(KIND, PROPOSAL_ANSWER, "proposal-answer", "Antwoord op een voorstel", "Answer to a proposal"),
    ROW(KIND, RETRACT, "retract", "Voorstel ingetrokken", "Proposal retracted"),
    ROW(KIND, BRIDGING_PROPOSAL, "bridging-proposal", "Voorstel voor overbruggingszorg", "Proposal of bridging care"),
    ROW(KIND, BRIDGING_ANSWER, "bridging-answer", "Antwoord over overbruggingszorg", "Answer about bridging care"),
    ROW(KIND, BRIDGING_END, "bridging-end", "Einde van de overbruggingszorg", "End of the bridging care"),
    ROW(KIND, CLOSING, "closing", "Afsluiting", "Closing"),
    ROW(KIND, WITHDRAWAL, "withdrawal", "Verwijzing ingetrokken", "Referral withdrawn"),
    ROW(KIND, NOTE, "note", "Bericht", "Note"),
    ROW(KIND, HISTORY, "history", "Eerder bericht", "Earlier letter"),
    ROW(KIND, NOTICE, "notice", "Mededeling", "Notice"),
    ROW(KIND, FAMILY_KEY, "family-key", "Gezinssleutel van het team", "Family key of the team"),
    ROW(KIND, REMINDER, "reminder", "Herinnering", "Reminder"),
    ROW(KIND, OVERDUE, "overdue", "Te laat", "Overdue"),
    ROW(KIND, NOT_OPENED, "not-opened", "Nog niet geopend", "Not opened yet"),
    ROW(KIND, NON_DELIVERY, "non-delivery", "Niet bereikt", "Not reached"),
    ROW(KIND, FACT, "fact", "Melding van Brug", "Word of the relay"),
    ROW(REASON, MILD_PSYCHOLOGICAL, "mild-psychological", "Lichte of matige psychische klachten", "Light or moderate psychological complaints"),
    ROW(REASON, PARENTING, "parenting", "Vraag over opvoeden of hulp bij opvoeden", "Parenting question or support"),
    ROW(REASON, PEDAGOGICAL, "pedagogical", "Pedagogische vraag", "Pedagogical question"),
    ROW(REASON, NEXT_STEP_UNCLEAR, "next-step-unclear", "Volgende stap is niet duidelijk", "The next step is not clear"),
    ROW(REQUEST_TYPE, CONTACT, "contact", "Contact over een casus", "Contact about a case"),
    ROW(REQUEST_TYPE, CLARIFY, "clarify", "Vraag helder maken", "Clarify the question"),
    ROW(REQUEST_TYPE, SHORT_HELP, "short-help", "Korte hulp dichtbij", "Short help close by"),
    ROW(REQUEST_TYPE, ADVICE, "advice", "Advies", "Advice"),
    ROW(MOMENT_EVENT, DATE, "date", "Op een datum", "On a date"),
    ROW(MOMENT_EVENT, FIRST_CONVERSATION, "first-conversation", "Na het eerste gesprek", "After the first conversation"),
    ROW(MOMENT_EVENT, WAITING_LIST, "waiting-list", "Bij een wachtlijst", "When there is a waiting list"),
    ROW(MOMENT_EVENT, CHANGE_OF_DIRECTOR, "change-of-director", "Bij een andere casusregisseur", "When the director changes"),
    ROW(MOMENT_EVENT, AFTER_CONVERSATIONS, "after-conversations", "Na een aantal gesprekken", "After a number of conversations"),
    ROW(DECLINE_REASON, TOO_SERIOUS, "too-serious", "Te ernstig (gebeld op [datum])", "Too serious (called on [date])"),
    ROW(DECLINE_REASON, SPECIALIST_CARE, "specialist-care", "Hoort in de 2e lijn (gebeld op [datum])", "Belongs to specialist care (called on [date])"),
    ROW(DECLINE_REASON, OTHER_TEAM, "other-team", "Ander team past beter: [team]", "Another team fits better: [team]"),
    ROW(DECLINE_REASON, NO_ROOM_IN_TIME, "no-room-in-time", "Geen plek op tijd", "No room in time"),
    ROW(STOP_REASON, NO_CONTACT, "no-contact", "Geen contact gekregen", "No contact made"),
    ROW(STOP_REASON, FAMILY_STOPS, "family-stops", "Jongere of ouders willen niet verder", "The youth or the parents do not want to go on"),
    ROW(STOP_REASON, MOVED, "moved", "Verhuisd of andere huisarts", "Moved, or another GP"),
    ROW(STOP_REASON, TURNED_18, "turned-18", "18 geworden", "Turned 18"),
    ROW(INVOLVEMENT, NOT_KNOWN, "not-known", "Niet bekend", "Not known"),
    ROW(INVOLVEMENT, KNOWN_JOINED, "known-joined", "Bekend, wij sluiten aan", "Known, we join"),
    ROW(INVOLVEMENT, KNOWN_OTHER_DIRECTOR, "known-other-director", "Bekend, [naam] blijft casusregisseur", "Known, [name] stays the director"),
    ROW(OUTCOME, OWN_SHORT_SUPPORT, "own-short-support", "Zelf kort geholpen", "Own short support"),
    ROW(OUTCOME, LOCAL_PROVISION, "local-provision", "Hulp in de buurt (voorliggend veld)", "Local provisions"),
    ROW(OUTCOME, YOUTH_CARE, "youth-care", "Naar (specialistische) jeugdhulp", "To (specialist) youth care"),
    ROW(OUTCOME, NOT_TAKEN_UP, "not-taken-up", "Niet opgepakt", "Not taken up"),
    ROW(OUTCOME, STOPPED, "stopped", "Gestopt", "Stopped"),
    ROW(OUTCOME, WITHDRAWN, "withdrawn", "Ingetrokken", "Withdrawn"),
    ROW(OUTCOME, ADVICE_GIVEN, "advice-given", "Advies gegeven", "Advice given"),
    ROW(OUTCOME, EXISTING_PLAN, "existing-plan", "Verder in bestaand plan", "Continues in the existing plan"),
    ROW(OUTCOME, NO_HELP_NEEDED, "no-help-needed", "Vraag helder, geen hulp nodig", "Question clear, no help needed"),
    ROW(OUTCOME, ENDED_GP_DISAGREES, "ended-gp-disagrees", "Beëindigd, huisarts niet akkoord", "Ended, the GP disagrees"),
    ROW(DECISION, ACCEPT, "accept", "Akkoord", "Agreed"),
    ROW(DECISION, OBJECT, "object", "Niet akkoord", "Not agreed"),
    ROW(BRIDGING_CARRIER, CONSULTANT, "consultant", "Consulent", "Consultant"),
    ROW(BRIDGING_CARRIER, PROVIDER, "provider", "Aanbieder", "Provider"),
    ROW(CASE_STATE, REFERRED, "referred", "Verwezen, nog niet opgepakt", "Referred, not taken up yet"),
    ROW(CASE_STATE, CLARIFYING, "clarifying", "Vraag wordt helder gemaakt", "The question is being clarified"),
    ROW(CASE_STATE, SUPPORT, "support", "Hulp is gestart", "Support has started"),
    ROW(CASE_STATE, CONSULTING, "consulting", "Consultatie, wacht op advies", "Consult, waits for advice"),
    ROW(CASE_STATE, CLOSED, "closed", "Afgesloten", "Closed"),
    ROW(CASE_STATE, DECLINED, "declined", "Niet opgepakt", "Declined"),
    ROW(CASE_STATE, STOPPED, "stopped", "Gestopt", "Stopped"),
    ROW(CASE_STATE, WITHDRAWN, "withdrawn", "Ingetrokken", "Withdrawn"),
    ROW(CASE_STATE, ADVISED, "advised", "Advies gegeven", "Advised"),
    ROW(SIDE, PRACTICE, "practice", "Huisarts", "GP"),
    ROW(SIDE, TEAM, "team", "Team", "Team"),
    ROW(OWED_KIND, TAKE_UP, "take-up", "Oppakken", "Taking up"),
    ROW(OWED_KIND, START, "start", "Terugkoppeling bij start", "Feedback at the start"),
    ROW(OWED_KIND, CLOSING, "closing", "Afsluiting", "Closing"),
    ROW(OWED_KIND, MOMENT, "moment", "Terugkoppeling op afgesproken moment", "Feedback at a named moment"),
    ROW(OWED_KIND, INFO_REPLY, "info-reply", "Antwoord op een vraag", "Answer to a request"),
    ROW(OWED_KIND, PROPOSAL_ANSWER, "proposal-answer", "Antwoord op een voorstel", "Answer to a proposal"),
    ROW(OWED_KIND, BRIDGING_ANSWER, "bridging-answer", "Antwoord over overbruggingszorg", "Answer about bridging care"),
    ROW(OWED_KIND, BRIDGING_DECISION, "bridging-decision", "Besluit: overbruggingszorg stopt of gaat door", "Decision: bridging care ends or goes on"),
    ROW(OWED_KIND, ADVICE, "advice", "Advies", "Advice"),
    ROW(FIGURE_PERIOD, 4W, "4w", "Vier weken", "Four weeks"),
    ROW(FIGURE_PERIOD, 6W, "6w", "Zes weken", "Six weeks"),
    ROW(FIGURE_PERIOD, 2M, "2m", "Twee maanden", "Two months"),
    ROW(FIGURE_PERIOD, QUARTER, "quarter", "Kwartaal", "Quarter"),
    ROW(FIGURE_PERIOD, YEAR, "year", "Jaar", "Year"),
    ROW(FIGURE_MEASURE, REFERRED, "referred", "In: verwezen", "In: referred"),
    ROW(FIGURE_MEASURE, ENDED, "ended", "Uit: afgelopen", "Out: ended"),
    ROW(FIGURE_MEASURE, OPEN, "open", "Stand: open aan het eind", "Stock: open at the end"),
    ROW(FIGURE_MEASURE, CONSULTED, "consulted", "Consultaties gevraagd", "Consults asked for"),
    ROW(FIGURE_MEASURE, ADVISED, "advised", "Consultaties met advies", "Consults advised"),
    ROW(FIGURE_MEASURE, REASON, "reason", "Reden", "Reason"),
    ROW(FIGURE_MEASURE, REFERRED_AREA, "referred-area", "Verwezen, per gebied", "Referred, by area"),
    ROW(FIGURE_MEASURE, OUTCOME, "outcome", "Uitkomst", "Outcome"),
    ROW(FIGURE_MEASURE, ENDED_AREA, "ended-area", "Afgelopen, per gebied", "Ended, by area"),
    ROW(FIGURE_MEASURE, TAKE_UP_DAYS, "take-up-days", "Opgepakt, werkdagen na verwijzing", "Taken up, working days after the referral"),
    ROW(FIGURE_MEASURE, START_DAYS, "start-days", "Gestart, werkdagen na verwijzing", "Started, working days after the referral"),
    ROW(FIGURE_MEASURE, END_DAYS, "end-days", "Afgelopen, werkdagen na verwijzing", "Ended, working days after the referral"),
    ROW(FIGURE_MEASURE, TAKE_UP_MEDIAN, "take-up-median", "Oppakken: middelste, in werkdagen", "Taking up: median, in working days"),
    ROW(FIGURE_MEASURE, START_MEDIAN, "start-median", "Starten: middelste, in werkdagen", "Starting: median, in working days"),
    ROW(FIGURE_MEASURE, END_MEDIAN, "end-median", "Afronden: middelste, in werkdagen", "Ending: median, in working days"),
    ROW(FIGURE_MEASURE, TAKE_UP_MEAN, "take-up-mean", "Oppakken: gemiddelde, in werkdagen", "Taking up: mean, in working days"),
    ROW(FIGURE_MEASURE, START_MEAN, "start-mean", "Starten: gemiddelde, in werkdagen", "Starting: mean, in working days"),
    ROW(FIGURE_MEASURE, END_MEAN, "end-mean", "Afronden: gemiddelde, in werkdagen", "Ending: mean, in working days"),
    ROW(FIGURE_MEASURE, FEEDBACK_ON_TIME, "feedback-on-time", "Terugkoppeling op tijd", "Feedback on time"),
    ROW(FIGURE_MEASURE, FEEDBACK_LATE, "feedback-late", "Terugkoppeling te laat", "Feedback late"),
    ROW(FIGURE_MEASURE, OVERDUE, "overdue", "Nu te laat", "Overdue now"),
    ROW(FIGURE_MEASURE, CASELOAD, "caseload", "Nu open per casusregisseur", "Open now per director"),
    ROW(FIGURE_MEASURE, OWN_SHARE, "own-share", "Afgesloten zonder verdere verwijzing", "Closed without onward referral"),
    ROW(FIGURE_MEASURE, ON_TIME_SHARE, "on-time-share", "Deel van de terugkoppeling op tijd", "Share of the feedback on time"),
    ROW(FIGURE_FORM, EXACT, "exact", "Precies", "Exact"),
    ROW(FIGURE_FORM, ROUNDED, "rounded", "Afgerond op 5", "Rounded to 5"),
    ROW(FIGURE_FORM, UNDER_5, "under-5", "Minder dan 5", "Less than 5"),
    ROW(FIGURE_FORM, WITHHELD, "withheld", "Niet getoond", "Not shown"),
};
/* clang-format on */

#define ROW_COUNT (sizeof ROWS / sizeof ROWS[0])

const struct code_row *codes_find(enum code_list list, int number)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ROWS[i].list == list && ROWS[i].number == number)
            return &ROWS[i];
    return NULL;
}

const struct code_row *codes_find_word(enum code_list list, const char *word)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ROWS[i].list == list && strcmp(ROWS[i].word, word) == 0)
            return &ROWS[i];
    return NULL;
}

const char *codes_text(enum code_list list, int number, enum language language)
{
    const struct code_row *row = codes_find(list, number);
    if (language == LANGUAGE_DUTCH)
        return row ? row->dutch : "Onbekend";
    return row ? row->english : "Unknown";
}

const struct code_row *codes_rows(enum code_list list, size_t *n)
{
    const struct code_row *first = NULL;
    *n = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (ROWS[i].list != list)
            continue;
        first = first ? first : &ROWS[i];
        (*n)++;
    }
    return first;
}
