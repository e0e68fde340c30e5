"""The commands of daily work with a real relay: a case from the referral to the opened closing, as its people type it.

The whole story of the case, then what must be stopped, what is shown without the relay, and that a mistyped command
says so in one line and changes nothing. The tests build on one another, in this order.
"""
import contextlib
import datetime
import os
import sqlite3
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clock  # noqa: E402
from profiles import ANSWER, DATAERR, LETTER, NOINPUT, NOPERM, OK, USAGE, World, read, refer  # noqa: E402
from relay import Relay  # noqa: E402
from tap import main  # noqa: E402

REFUSED = 69  # EX_UNAVAILABLE: the rules of the case say no
RISKS = ["--suicidality", "nee", "--somatic", "niet-gevraagd", "--who", "Samira belt wekelijks",
         "--evening", "huisartsenpost 0570-112233"]
FREE = "GAR-BLE"


def day(days):
    return (datetime.date.today() + datetime.timedelta(days=days)).isoformat()


def sync(w):
    for profile in w.everybody:
        profile.run("sync")


def new_case(w, name="Fenna Tjoelker", *more):
    sent = w.gp.json(*refer("--yes", *more, youth=None, name=name, born="2014-02-01"))
    assert sent["state"] == "stored", sent
    sync(w)
    return sent["case_code"]


def case(profile, code):
    return profile.json("case", code)["relay"]


def do(profile, command, code, *more, letter=True, kind=None):
    """A letter of a case that the relay takes."""
    words = [command, code, *more, *(["--letter", ANSWER] if letter else [])]
    sent = profile.json(*words)
    assert sent["state"] == "stored", f"brug {words}: {sent}"
    assert kind is None or sent["kind"] == kind, sent
    return sent


def claim(w, code):
    do(w.samira, "claim", code, letter=False)
    sync(w)


def stored(profile):
    return [(m["number"], m["state"]) for m in profile.json("sent")]


def no(profile, *words, status=REFUSED, says=""):
    """It is stopped, with one line that says why, and nothing was stored."""
    before = stored(profile)
    profile.run(*words, status=status)
    assert says in profile.errors, f"{says!r} is not in {profile.errors!r}"
    assert profile.errors.startswith("brug: "), profile.errors
    assert stored(profile) == before, f"brug {words} stored a letter"


# ---- the story ----

def test_a_referral_with_a_named_moment(w):
    w.enrol_all()
    w.code = new_case(w, "Fenna Tjoelker", "--moment", "first-conversation", "--moment", "date:" + day(60))
    told = case(w.gp, w.code)
    assert (told["state"], told["custody"], told["own_side"]) == ("referred", "practice", "practice"), told
    assert [o["kind"] for o in told["owed"]] == ["take-up", "moment", "moment"]
    shown = w.gp.say("case", w.code)
    for words in ("Fenna Tjoelker", "De regie ligt bij de huisarts.", "Volgens de relay, stand van",
                  "Dit krijgt u nog:", "Oppakken, uiterlijk", "Na het eerste gesprek", "U kunt nu: ",
                  "withdraw", "Verwijzing  van M. van der Linde"):
        assert words in shown, f"{words!r} is not in\n{shown}"
    assert "Custody lies with the GP." in w.gp.say("--lang", "en", "case", w.code)
    assert "Nog niet opgepakt in uw team: 1" in w.samira.say("cases")
    assert w.samira.json("cases") == [] and len(w.samira.json("cases", "--team")) == 1


def test_one_of_two_at_once_claims_it(w):
    done = {}

    def claim_it(profile):
        done[profile] = subprocess.run(profile.command("--json", "claim", w.code), capture_output=True,
                                       timeout=120)

    threads = [threading.Thread(target=claim_it, args=(p,)) for p in (w.samira, w.joost)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    lost = [p for p in done if done[p].returncode != OK]
    assert len(lost) == 1, {p.home: (d.returncode, d.stdout, d.stderr) for p, d in done.items()}
    w.director, w.colleague = (w.joost, w.samira) if lost[0] is w.samira else (w.samira, w.joost)
    w.director_name = "Joost Meijer" if w.director is w.joost else "Samira Haddou"
    said = done[w.colleague].stdout.decode() + done[w.colleague].stderr.decode()
    assert f"{w.director_name} heeft deze casus al opgepakt." in said, said
    sync(w)
    told = case(w.gp, w.code)
    assert (told["state"], told["custody"], told["director_name"]) == ("clarifying", "team", w.director_name)
    assert f"De regie ligt bij het team ({w.director_name})." in w.gp.say("case", w.code)
    no(w.colleague, "claim", w.code, says=f"{w.director_name} heeft deze casus al opgepakt.")
    w.colleague.run("claim", w.code, "--lang", "en", status=REFUSED)
    assert f"{w.director_name} has already taken this case up." in w.colleague.errors
    assert [c["case_code"] for c in w.director.json("cases")] == [w.code]


def told_to_the_team_when_late(w):
    """Who is not the director has nothing to do here, and still hears that something is overdue."""
    later = {**clock.SANITIZERS, **clock.moved(40 * 86400)}
    line = "Te laat in uw team: {} (brug owed --team)"
    assert "in uw team" not in w.colleague.say("owed")  # nothing is, yet
    team = w.colleague.json("owed", "--team", "--wait", "0", **later)["we_owe"]
    n = sum(o["overdue"] for o in team)
    assert n >= 2, team
    assert w.colleague.say("owed", "--wait", "0", **later).splitlines()[-1] == line.format(n)
    assert f"Overdue in your team: {n} " in w.colleague.say("--lang", "en", "owed", "--wait", "0", **later)
    for words in (["owed", "--team"], ["owed", "--json"]):
        assert "in uw team" not in w.colleague.say(*words, "--wait", "0", **later)
    for profile in (w.director, w.gp):  # all of it is their own
        profile.run("owed")
        assert "in uw team" not in profile.say("owed", "--wait", "0", **later)


def test_a_question_is_answered(w):
    do(w.gp, "ask", w.code, kind="info-request")
    sync(w)
    owed = w.director.json("owed")
    assert "info-reply" in [o["kind"] for o in owed["we_owe"]] and owed["we_are_owed"] == []
    told_to_the_team_when_late(w)
    shown = w.director.say("owed")
    assert shown.index("Dit moet u nog doen") < shown.index("Antwoord op een vraag") < shown.index(
        "Dit krijgt u nog"), shown
    sent = do(w.colleague, "answer", w.code, kind="info-reply")
    question = [m for m in w.gp.json("sent") if m["kind"] == "info-request"][0]
    assert sent["in_reply_to"] == question["message_id"]
    no(w.colleague, "answer", w.code, "--letter", ANSWER, says="niet (meer) open")
    sync(w)
    assert w.gp.json("show", w.code)["answer_signed"] is True


def test_start_and_the_moment_that_the_gp_named(w):
    no(w.director, "start", w.code, "--letter", ANSWER, status=USAGE, says="not-known")
    no(w.colleague, "start", w.code, "--involvement", "not-known", "--letter", ANSWER,
       says="alleen de casusregisseur")
    do(w.director, "start", w.code, "--involvement", "known-joined", kind="start")
    no(w.director, "start", w.code, "--involvement", "known-joined", "--letter", ANSWER, says="al gestart")
    no(w.director, "interim", w.code, "--moment", "waiting-list", "--letter", ANSWER, status=DATAERR,
       says="de huisarts noemde geen moment")
    do(w.director, "interim", w.code, "--moment", "first-conversation", kind="interim")
    sync(w)
    told = case(w.gp, w.code)
    assert told["state"] == "support"
    assert [o["kind"] for o in told["owed"]] == ["moment", "closing"] or \
        [o["kind"] for o in told["owed"]] == ["closing", "moment"], told["owed"]
    no(w.director, "interim", w.code, "--moment", "1", "--letter", ANSWER, says="niet (meer) open")
    assert "Betrokken" in w.gp.say("show", str(w.gp.json("inbox", "--all")[1]["number"]))


def test_a_decline_is_objected_to(w):
    code = new_case(w, "Daan Visser")
    no(w.samira, "decline", code, "--reason", "too-serious", "--letter", ANSWER, status=USAGE, says="--called-on")
    no(w.samira, "decline", code, "--reason", "other-team", "--letter", ANSWER, status=USAGE, says="--to")
    do(w.samira, "decline", code, "--reason", "no-room-in-time", kind="decline-proposal")
    sync(w)
    shown = w.gp.say("case", code)
    assert "Het team wil deze casus niet oppakken." in shown and f"brug object {code}" in shown, shown
    no(w.samira, "claim", code, says="wacht nog een voorstel")
    sent = do(w.gp, "object", code, letter=False, kind="proposal-answer")
    proposal = [m for m in w.samira.json("sent") if m["kind"] == "decline-proposal"][0]
    assert sent["in_reply_to"] == proposal["message_id"]
    no(w.gp, "object", code, says="geen voorstel dat op antwoord wacht")
    sync(w)
    told = case(w.samira, code)
    assert (told["state"], told["custody"], told["objected"]) == ("referred", "practice", True)
    do(w.samira, "decline", code, "--reason", "too-serious", "--called-on", day(0))
    sync(w)
    do(w.samira, "retract", code, letter=False, kind="retract")
    sync(w)
    # after the objection to the first proposal a new one was made: only its own objection counts
    no(w.leader, "close", code, "--outcome", "ended-gp-disagrees", "--called-on", day(0), "--letter", ANSWER)
    do(w.samira, "decline", code, "--reason", "no-room-in-time")
    sync(w)
    do(w.gp, "object", code, letter=False)
    sync(w)
    no(w.leader, "close", code, "--outcome", "ended-gp-disagrees", "--letter", ANSWER, status=USAGE,
       says="--called-on")
    do(w.leader, "close", code, "--outcome", "ended-gp-disagrees", "--called-on", day(0), kind="closing")
    sync(w)
    told = case(w.gp, code)
    assert (told["state"], told["outcome"]) == ("closed", "ended-gp-disagrees")


def test_bridging_care_is_agreed_by_both(w):
    no(w.director, "bridge", w.code, "--carrier", "consultant", "--until", day(20), status=USAGE,
       says="Gedachten aan zelfdoding?")
    no(w.director, "bridge", w.code, "--carrier", "consultant", "--until", day(-20), *RISKS, says="datum is voorbij")
    do(w.director, "bridge", w.code, "--carrier", "consultant", "--until", day(20), *RISKS, letter=False,
       kind="bridging-proposal")
    sync(w)
    assert "Nog NIET afgesproken. Wacht op akkoord van Huisartsen Kastanjehof." in w.director.say("case", w.code)
    no(w.gp, "agree", w.code, status=USAGE, says="Wie is 's avonds bereikbaar?")
    do(w.gp, "agree", w.code, *RISKS, letter=False, kind="bridging-answer")
    sync(w)
    both = w.director.json("case", w.code)
    assert both["relay"]["bridging"]["carrier"] == "consultant" and both["bridging_signed"] is True
    shown = w.director.say("case", w.code)
    assert "Overbruggingszorg (Consulent) afgesproken tot en met" in shown, shown
    assert "door beide kanten ondertekend" in shown
    proposal = [m for m in w.gp.json("inbox", "--all") if m["kind"] == "bridging-proposal"][0]
    letter = w.gp.say("show", str(proposal["number"]))
    assert "Gedachten aan zelfdoding: nee" in letter and "huisartsenpost 0570-112233" in letter
    no(w.director, "close", w.code, "--outcome", "own-short-support", "--letter", ANSWER,
       says="loopt nog overbruggingszorg")
    do(w.gp, "bridge", w.code, "--end", letter=False, kind="bridging-end")
    sync(w)
    no(w.gp, "bridge", w.code, "--end", says="geen overbruggingszorg")


def test_closing_waits_for_what_is_owed(w):
    do(w.gp, "ask", w.code)
    sync(w)
    no(w.director, "close", w.code, "--outcome", "own-short-support", "--conversations", "5", "--letter", ANSWER,
       says="U kunt nog niet afsluiten. Doe eerst: Antwoord op een vraag, uiterlijk")
    no(w.director, "delay", w.code, "--until", day(5), "--letter", ANSWER, status=USAGE, says="--what")
    do(w.director, "delay", w.code, "--what", "info-reply", "--until", day(9), kind="delay")
    no(w.director, "delay", w.code, "--what", "info-reply", "--until", day(9), "--letter", ANSWER,
       says="al een keer uitgesteld")
    do(w.director, "answer", w.code, "--withheld", letter=False)
    no(w.director, "close", w.code, "--outcome", "stopped", "--letter", ANSWER, says="Met deze uitkomst")
    do(w.director, "close", w.code, "--outcome", "own-short-support", "--conversations", "6", kind="closing")
    sync(w)
    told = case(w.gp, w.code)
    assert (told["state"], told["custody"], told["outcome"]) == ("closed", "team", "own-short-support"), told
    closing = [m for m in w.gp.json("inbox") if m["kind"] == "closing"][0]
    assert "Gesprekken" in w.gp.say("show", str(closing["number"]))
    w.gp.run("sync")
    told = case(w.gp, w.code)
    assert (told["custody"], told["closing_id"], told["owed"]) == ("practice", None, []), told
    no(w.director, "interim", w.code, "--letter", ANSWER, says="Deze casus is afgelopen.")
    assert w.code not in [c["case_code"] for c in w.gp.json("cases")]
    assert w.code in [c["case_code"] for c in w.gp.json("cases", "--ended")]
    do(w.gp, "ask", w.code)  # also in a closed case
    sync(w)
    do(w.colleague, "answer", w.code)


# ---- the other ways ----

def test_handover_withdraw_and_stop(w):
    code = new_case(w, "Noor Bos")
    claim(w, code)
    no(w.samira, "handover", code, "Niemand", status=NOINPUT, says="Niemand")
    no(w.samira, "handover", code, "Tineke", says="Kies een andere consulent")
    no(w.joost, "handover", code, "Joost", says="alleen de casusregisseur")
    do(w.leader, "handover", code, "Joost", letter=False, kind="handover")
    sync(w)
    assert case(w.gp, code)["director_name"] == "Joost Meijer"
    do(w.joost, "stop", code, "--reason", "no-contact")
    sync(w)
    do(w.gp, "agree", code, letter=False)
    sync(w)
    assert (case(w.joost, code)["state"], case(w.joost, code)["custody"]) == ("stopped", "practice")
    code = new_case(w, "Sem Kok")
    no(w.samira, "withdraw", code, status=NOPERM, says="Met uw rol")
    do(w.gp, "withdraw", code, letter=False, kind="withdrawal")
    sync(w)
    assert case(w.samira, code)["state"] == "withdrawn"
    sent = w.gp.json(*refer("--yes", "--linked", code, youth=None, name="Sem Kok", born="2014-02-01"))
    assert w.gp.json("case", sent["case_code"])["relay"]["linked_case"] == w.gp.json("case", code)["case_id"]


def test_a_consult_and_notices(w):
    sent = w.gp.json("consult", "Sociaal team", "--letter", ANSWER)
    assert (sent["kind"], sent["state"]) == ("consult", "stored")
    sync(w)
    assert "advice" in [o["kind"] for o in w.samira.json("owed")["we_owe"]]
    no(w.samira, "claim", sent["case_code"], says="Dit is een consultatie.")
    do(w.samira, "advise", sent["case_code"], kind="advice")
    do(w.gp, "note", sent["case_code"], kind="note")
    sync(w)
    assert case(w.gp, sent["case_code"])["state"] == "advised"
    assert [m["kind"] for m in w.leader.json("notice", "--practices", "--letter", ANSWER)] == ["notice"]
    assert "Mededeling" in w.leader.say("notice", "Kastanjehof", "--letter", ANSWER)
    no(w.gp, "notice", "Sociaal", "--letter", ANSWER, status=NOPERM, says="Met uw rol")


def test_another_team_fits_better(w):
    w.add_organisation("team", "Jeugdteam Noord", file="north")
    code = new_case(w, "Lena Post")
    w.samira.run("directory", "--refresh")
    do(w.samira, "decline", code, "--reason", "other-team", "--to", "Jeugdteam Noord")
    w.gp.run("directory", "--refresh")
    sync(w)
    proposal = [m for m in w.gp.json("inbox") if m["kind"] == "decline-proposal"][0]
    assert "Ander team past beter: Jeugdteam Noord" in w.gp.say("show", str(proposal["number"]))
    said = w.gp.say("agree", code)
    assert f'brug refer "Jeugdteam Noord" --linked {code}' in said, said
    assert (case(w.gp, code)["state"], case(w.gp, code)["custody"]) == ("declined", "practice")


def test_what_ended_makes_nothing_older(w):
    sync(w)
    with contextlib.closing(sqlite3.connect(os.path.join(w.gp.home, "store.db"))) as store, store:
        assert store.execute("UPDATE casefile SET told_at_ms = 1000 WHERE ended = 1").rowcount > 0
    for words in (["owed"], ["cases"]):
        shown = w.gp.say(*words)
        assert "stand van" in shown and "1970" not in shown, shown
    assert "1970" in w.gp.say("cases", "--ended", "--wait", "0")


# ---- without the relay ----

def test_off_line(w):
    code = new_case(w, "Ravi Jansen")
    w.relay.stop()
    shown = w.gp.say("case", code)
    assert "(nu niet bereikt)" in shown and "Verwezen, nog niet opgepakt" in shown, shown
    assert "Ravi Jansen" in w.gp.say("cases", "--wait", "1") and "Oppakken" in w.gp.say("owed", "--wait", "0")
    no(w.samira, "start", code, "--involvement", "not-known", "--letter", ANSWER, "--wait", "1",
       says="Niemand heeft deze casus al opgepakt.")
    assert "Nog niet verzonden." in w.samira.say("claim", code, "--wait", "1")
    no(w.samira, "claim", code, "--wait", "0", says="opgepakt")
    w.samira.run("start", code, "--involvement", "not-known", "--letter", ANSWER, "--wait", "0")
    w.relay.start()
    sync(w)
    sync(w)
    assert case(w.gp, code)["state"] == "support"
    w.ravi = code


def test_a_letter_in_an_editor(w):
    editor = w.path("editor")
    with open(editor, "w") as f:
        f.write("#!/bin/sh\n[ \"$1\" = --flag ] || exit 1\nprintf 'Met de editor geschreven.\\n' >\"$2\"\n")
    os.chmod(editor, 0o755)
    os.environ["EDITOR"] = editor + " --flag"
    try:
        w.gp.answer("", "note", w.ravi)
        assert w.gp.json("show", w.ravi)["letter"] == "Met de editor geschreven.\n"
        os.environ["EDITOR"] = "false"
        shown = w.gp.answer("", "note", w.ravi, status=DATAERR)
        assert "niets verstuurd" in shown, shown
    finally:
        del os.environ["EDITOR"]
    assert not [n for n in os.listdir(w.gp.home) if n.startswith("brug-")]
    no(w.gp, "note", w.ravi, status=USAGE, says="--letter")


def test_what_is_mistyped_is_named(w):
    """Not only that it is wrong: what is, and what can be done."""
    for profile, words, status, says in (
            (w.samira, ["close"], USAGE, "er ontbreekt iets; zie `brug close --help`"),
            (w.samira, ["handover", w.ravi, "Joost", "Meijer"], USAGE, "'Meijer' is een woord te veel"),
            (w.samira, ["handover", w.ravi, "Pietje"], NOINPUT, "er is geen medewerker 'Pietje'; kies uit:\n  "),
            (w.samira, ["handover", w.ravi, "o"], NOINPUT, "'o' past bij meer medewerkers; kies uit:\n  "),
            (w.samira, ["decline", w.ravi, "--reason", "other-team", "--to", "Sociaal", "--letter", ANSWER], DATAERR,
             "--to is een ander team, niet Sociaal team"),
            (w.samira, ["decline", w.ravi, "--reason", "other-team", "--to", "Kastanjehof", "--letter", ANSWER], DATAERR,
             "--to is een ander team, niet Huisartsen Kastanjehof"),
            (w.samira, ["decline", w.ravi, "--reason", "too-serious", "--called-on", day(1), "--letter", ANSWER], DATAERR,
             "is in de toekomst: wanneer belde u?"),
            (w.gp, ["agree", w.ravi], REFUSED, "\n      U kunt nu: ask"),
            (w.gp, ["close", w.ravi, "--outcome", "youth-care", "--letter", ANSWER], NOPERM, "\n      U kunt nu: ask")):
        no(profile, *words, status=status, says=says)


def test_mistyped_commands_change_nothing(w):
    mistyped = [
        (["claim"], USAGE), (["claim", FREE], NOINPUT), (["claim", w.ravi, "extra"], USAGE),
        (["claim", w.ravi, "--outcome", "x"], USAGE), (["handover", w.ravi], USAGE),
        (["start", w.ravi, "--involvement", "misschien", "--letter", ANSWER], USAGE),
        (["start", FREE, "--involvement", "not-known", "--letter", ANSWER], NOINPUT),
        (["interim", w.ravi], USAGE), (["interim", w.ravi, "--letter", w.path("nothing")], NOINPUT),
        (["interim", w.ravi, "--moment", "1", "--moment", "2", "--letter", ANSWER], USAGE),
        (["ask", w.ravi, "--letter", ANSWER], NOPERM), (["answer", w.ravi], USAGE),
        (["delay", w.ravi, "--letter", ANSWER], USAGE),
        (["delay", w.ravi, "--until", "morgen", "--letter", ANSWER], USAGE),
        (["delay", w.ravi, "--until", day(5), "--what", "alles", "--letter", ANSWER], USAGE),
        (["decline", w.ravi, "--letter", ANSWER], USAGE),
        (["decline", w.ravi, "--reason", "geen-zin", "--letter", ANSWER], USAGE),
        (["stop", w.ravi, "--letter", ANSWER], USAGE), (["agree", w.ravi], REFUSED),
        (["object", w.ravi, "--bridging"], REFUSED), (["retract", w.ravi], REFUSED),
        (["bridge", w.ravi], USAGE), (["bridge", w.ravi, "--end", "--until", day(3)], USAGE),
        (["bridge", w.ravi, "--carrier", "consultant", "--until", day(3), *RISKS[2:]], USAGE),
        (["close", w.ravi, "--letter", ANSWER], USAGE),
        (["close", w.ravi, "--outcome", "goed", "--letter", ANSWER], USAGE),
        (["close", w.ravi, "--outcome", "youth-care", "--conversations", "veel", "--letter", ANSWER], USAGE),
        (["withdraw", w.ravi], NOPERM), (["advise", w.ravi, "--letter", ANSWER], REFUSED),
        (["note", w.ravi], USAGE), (["note", w.ravi, "--letter", os.devnull], DATAERR),
        (["notice", "--letter", ANSWER], USAGE), (["notice", "Nergens", "--letter", ANSWER], NOINPUT),
        (["consult", "Sociaal", "--letter", ANSWER], NOPERM), (["consult", "Sociaal"], USAGE),
        (["cases", "alle"], USAGE), (["case"], USAGE), (["case", FREE], NOINPUT), (["owed", "--ended"], USAGE),
    ]
    before, told = stored(w.samira), case(w.samira, w.ravi)
    for words, status in mistyped:
        w.samira.run(*words, status=status)
        lines = w.samira.errors.splitlines()
        assert lines and lines[0].startswith("brug: "), (words, w.samira.errors)
        assert all(line.startswith("  ") or line.startswith("brug: ") for line in lines), w.samira.errors
    assert stored(w.samira) == before
    now = case(w.samira, w.ravi)
    del told["told_at"], now["told_at"]
    assert now == told


def test_help(w):
    commands = ("consult cases case owed claim handover start interim ask answer delay decline stop agree object "
                "retract bridge close withdraw advise note notice").split()
    for language in ("nl", "en"):
        listed = w.gp.say("--lang", language, "help")
        for command in commands:
            assert f"  {command} " in listed
            assert f"brug {command}" in w.gp.say("--lang", language, "help", command)
    assert "Naar (specialistische) jeugdhulp" in w.gp.say("help", "close")
    assert "Geen contact gekregen" in w.gp.say("stop", "--help")
    w.gp.run("help", "vlieg", status=USAGE)


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    with Relay() as relay:
        main(TESTS, World(relay))
