"""The brug command with a real relay: enrolment, trust, referral, receipt, answer, export, off-line work, wrong input.

Everything goes through the programs that people use: brug, brugctl, brugd and certs/make-pki. The tests build on one
another, in this order.
"""
import base64
import datetime
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from profiles import (ANSWER, CANTCREAT, CONFIG, DATAERR, LETTER, NOINPUT, NOPERM, OK, PDF, TEMPFAIL,  # noqa: E402
                      USAGE, YOUTH, Profile, World, read, refer)
from relay import Relay  # noqa: E402
from tap import main  # noqa: E402
from wire import wire  # noqa: E402


# ---- before there is a profile ----

def test_help_and_version(w):
    assert "brug refer" not in w.gp.say("--help") and "verwijs een jongere" in w.gp.say("--help")
    assert "refer a youth" in w.gp.say("--lang", "en", "--help")
    assert "refer a youth" in w.gp.say("--help", LC_ALL="en_US.UTF-8")
    for command in ("init", "whoami", "trust", "directory", "refer", "send", "discard", "sync", "watch",
                    "inbox", "sent", "find", "show", "export"):
        for language in ("nl", "en"):
            assert f"brug {command}" in w.gp.say("--lang", language, command, "--help")
    assert "mild-psychological" in w.gp.say("refer", "--help")
    assert w.gp.say("--version").startswith("brug 0.")


def test_wrong_command_lines(w):
    for words in ([], ["verwijs"], ["sync", "--sneller"], ["sync", "--wait"], ["sync", "extra"],
                  ["refer"], ["inbox", "--letter", "x"], ["--lang", "fr", "inbox"],
                  ["init", "--invitation", "a", "--answer", "b"]):
        w.gp.run(*words, status=USAGE)
        assert w.gp.errors.startswith("brug: "), w.gp.errors
    assert w.gp.json("refer", status=USAGE)["error"] == "USAGE"
    assert not os.path.exists(w.gp.home), "a wrong command line made a profile"


def test_without_a_profile(w):
    for words in (["sync"], ["inbox"], refer()):
        w.gp.run(*words, status=CONFIG)
        assert "brug init --invitation" in w.gp.errors
    assert w.gp.json("whoami") == {"state": "empty", "profile": w.gp.home}
    w.gp.run("whoami", status=CONFIG)
    w.gp.run("init", "--invitation", w.path("nothing"), status=NOINPUT)
    w.gp.run("init", "--invitation", LETTER, status=DATAERR)
    w.gp.run("init", status=USAGE)


# ---- enrolment ----

def test_enrolment_in_steps(w):
    invitation = w.invite(w.practice, "M. van der Linde", "gp")
    request = w.path("gp.request")
    w.gp.run("init", "--invitation", invitation, "--out", request)
    assert "brug init --answer" in w.gp.errors
    assert w.gp.json("whoami")["state"] == "requested"
    w.gp.run("sync", status=CONFIG)
    w.gp.run("init", "--invitation", invitation, "--out", request, status=CANTCREAT)
    again = w.gp.json("init", "--invitation", invitation)["request"]
    assert again.encode() == read(request), "another request for the same keys"
    other = w.invite(w.practice, "Iemand anders", "assistant")
    w.gp.run("init", "--invitation", other, status=CANTCREAT)

    answer, said = w.certify(request, "gp")
    shown = w.gp.say("init", "--answer", answer)
    code = w.gp.json("init")["code"]
    assert code in said and code in shown and "brug init --code" in shown
    w.gp.run("inbox", status=CONFIG)
    w.gp.run("init", "--code", "0000-0000-0000", status=NOPERM)
    assert w.gp.json("whoami")["state"] == "answered"
    assert "M. van der Linde" in w.gp.say("init", "--code", code)
    me = w.gp.json("whoami")
    assert (me["state"], me["role"], me["organisation"]) == ("ready", "gp", w.practice)
    assert me["organisation_name"] == "Huisartsen Kastanjehof" and me["relay_port"] == w.relay.port
    assert "Huisarts" in w.gp.say("whoami") and "GP" in w.gp.say("whoami", "--lang", "en")
    w.gp.run("init", "--invitation", invitation, status=CANTCREAT)


def test_an_answer_for_another_profile(w):
    request = w.path("samira.request")
    w.samira.run("init", "--invitation", w.invite(w.team, "Samira Haddou", "consultant"), "--out",
                 request)
    w.samira.run("init", "--answer", w.path("gp.answer"), status=NOPERM)
    answer, said = w.certify(request, "samira")
    code = w.samira.json("init", "--answer", answer)["code"]
    assert code in said
    w.samira.run("init", "--answer", answer, "--code", code)


def test_the_others_enrol(w):
    request = w.path("joost.request")
    w.joost.run("init", "--invitation", w.invite(w.team, "Joost Meijer", "consultant"), "--out", request)
    answer, said = w.certify(request, "joost")
    assert "Bel de beheerder." in w.joost.answer("nee", "init", "--answer", answer)
    assert w.joost.json("whoami")["state"] == "answered"
    shown = w.joost.answer("ja", "init")
    assert "Klaar: aangemeld als Joost Meijer" in shown and w.joost.json("whoami")["state"] == "ready"
    w.enrol(w.spare, w.path("practice.invitation"), "--recovery")
    assert w.spare.json("whoami")["recovery"] is True
    w.spare.run("init", status=OK)


# ---- trust and directory ----

def test_the_directory(w):
    names = {o["name"]: o for o in w.gp.json("directory", "--refresh")}
    assert set(names) == {"Huisartsen Kastanjehof", "Sociaal team Voorbeeldstad"}, names
    team = names["Sociaal team Voorbeeldstad"]
    assert (team["kind"], team["telephone"], team["trust"]) == ("team", "0570-000333", "new")
    assert team["name_certified"] and team["identifier"] == "brug:" + w.team
    assert sorted(e["person_name"] for e in team["entries"]) == ["Joost Meijer", "Samira Haddou"]
    assert "Sociaal team Voorbeeldstad" in w.gp.say("directory")
    assert "0570-000333" in w.gp.say("directory", "Sociaal")
    w.gp.run("directory", "Nergens", status=NOINPUT)


def test_what_must_not_be_sent_is_stopped(w):
    refusals = [
        (refer(reason="ernstig"), DATAERR, "Ernstige problemen verwijst u niet via Brug."),
        (refer(reason="crisis"), DATAERR, "Bel 112"),
        (refer(reason="2e-lijn"), DATAERR, "Is specialistische hulp duidelijk nodig?"),
        (refer(reason="anders"), USAGE, "next-step-unclear"),
        (refer(reason=None), USAGE, "--reason"),
        (refer(type=None), USAGE, "--type"),
        (refer(ground=None), USAGE, "--ground"),
        (refer(letter=None), USAGE, "--letter"),
        (refer(letter=w.path("nothing")), NOINPUT, "nothing"),
        (refer(letter=PDF), DATAERR, "--attach"),
        (refer(letter=os.devnull), DATAERR, "leeg"),
        (refer(youth=None), USAGE, "--youth"),
        (refer(youth=LETTER), DATAERR, "regel 1"),
        (refer(youth=None, name="Fenna"), USAGE, "--born"),
        (refer(born="17-04-2013x"), USAGE, "--born"),
        (refer(born="2007-01-01"), DATAERR, "Dit kanaal is voor jongeren tot 18 jaar."),
        (refer(born="2999-01-01"), DATAERR, "toekomst"),
        (refer(bsn="123456789"), DATAERR, "elfproef"),
        (refer("--moment", "ooit"), USAGE, "first-conversation"),
        (refer("--attach", w.path("nothing")), NOINPUT, "nothing"),
        (refer("--wait", "lang"), USAGE, "--wait"),
        (["refer", "Team Bestaat Niet", *refer()[2:]], NOINPUT, "brug directory"),
        (["refer", "Kastanjehof", *refer()[2:]], DATAERR, "praktijk"),
    ]
    for words, status, sentence in refusals:
        w.gp.run(*words, status=status)
        assert sentence in w.gp.errors, f"{sentence!r} is not in {w.gp.errors!r}"
    w.gp.run("--lang", "en", *refer(reason="serious"), status=DATAERR)
    assert "You keep control." in w.gp.errors
    assert w.gp.json("sent") == []


def test_why_a_file_cannot_be_read(w):
    large = w.path("large")
    with open(large, "wb") as f:
        f.truncate((32 << 20) + 1)
    for path, dutch, english in (
            (w.path("nothing"), "dit bestand of deze map is er niet", "there is no such file or directory"),
            (w.folder, "dit is een map", "this is a directory"),
            (os.path.join(LETTER, "x"), "een deel van de naam is geen map", "a part of the name is no directory"),
            (w.path("x" * 300), "de naam is te lang", "the name is too long"),
            (large, "het is te groot", "it is too large")):
        w.gp.run(*refer(letter=path), status=NOINPUT)
        assert w.gp.errors == f"brug: {path} is niet te lezen: {dutch}\n", w.gp.errors
        w.gp.run("--lang", "en", *refer(letter=path), status=NOINPUT)
        assert w.gp.errors == f"brug: {path} cannot be read: {english}\n", w.gp.errors
    os.unlink(large)


def test_a_letter_waits_for_trust(w):
    sent = w.gp.json(*refer("--moment", "first-conversation", "--moment", "after:3", "--attach", PDF,
                            "--subject", "Somber sinds de zomer"))
    assert (sent["state"], sent["error"]) == ("waiting", "CONFIRM")
    assert "brug trust" in w.gp.say("sent")
    w.case = sent["case_code"]


def test_trust(w):
    waiting = {o["organisation"]: o for o in w.gp.json("trust")}
    assert w.team in waiting
    fingerprint = waiting[w.team]["fingerprint"]
    shown = w.gp.say("trust")
    assert fingerprint in shown and "Samira Haddou" in shown and "Bel Sociaal team" in shown
    w.gp.run("trust", "Sociaal team", status=USAGE)  # nobody can be asked here
    assert "--fingerprint" in w.gp.errors
    w.gp.run("trust", "Sociaal team", "--fingerprint", "0000-0000-0000", status=NOPERM)
    w.gp.run("trust", "--fingerprint", fingerprint, status=USAGE)
    said = w.gp.say("trust", "Sociaal team", "--fingerprint", fingerprint.lower())
    assert said == "Sociaal team Voorbeeldstad is bevestigd. Wat hierop wachtte, gaat weg met: brug sync\n", said
    assert w.gp.json("directory", "Sociaal team")["trust"] == "believed"
    assert "bevestigd" in w.gp.say("trust", "Sociaal team")
    w.trust_all(w.gp)
    w.samira.run("sync")
    shown = w.samira.answer("nee", "trust", "Kastanjehof", status=NOPERM)
    assert "niet bevestigd" in shown and "M. van der Linde" in shown
    said = w.samira.answer("ja", "trust", "Kastanjehof")
    assert said.endswith("Huisartsen Kastanjehof is bevestigd.\r\n"), said  # nothing waited for it
    w.trust_all(w.samira)
    assert "niets te bevestigen" in w.gp.say("trust").replace("hoeft niets te", "niets te")


# ---- letters ----

def test_the_referral_goes_out(w):
    w.gp.run("sync")
    sent = w.gp.json("sent")
    assert [m["state"] for m in sent] == ["stored"], sent
    assert "Bewaard, nog niet opgehaald" in w.gp.say("sent")
    assert "Kept, not fetched yet" in w.gp.say("sent", "--lang", "en")


def test_a_letter_of_an_unknown_sender_waits(w):
    assert w.joost.json("sync")["received"] == 1
    waiting = w.joost.json("inbox")[0]
    assert (waiting["state"], waiting["youth_name"]) == ("confirm", ""), waiting
    assert "bevestig eerst de afzender" in w.joost.say("inbox")
    w.joost.run("show", "1", status=NOPERM)
    assert 'brug trust "Huisartsen Kastanjehof"' in w.joost.errors
    w.joost.run("export", "1", "--plain", status=NOPERM)
    w.trust_all(w.joost)
    assert w.joost.json("inbox")[0]["state"] == "ready"


def test_both_consultants_receive_it_once(w):
    assert w.samira.json("sync")["received"] == 1
    for profile in (w.samira, w.joost):
        assert profile.json("sync")["received"] == 0
        inbox = profile.json("inbox")
        assert [(m["kind"], m["state"], m["case_code"], m["youth_name"], m["attachments"])
                for m in inbox] == [("referral", "ready", w.case, "Fenna Tjoelker", 1)]
        assert "(nieuw)" in profile.say("inbox")
    assert "Opgehaald, nog niet geopend" in w.gp.say("sent", "1", "--refresh")
    readers = w.gp.json("sent", "1")["readers"]
    assert all(r["fetched_at"] and not r["opened_at"] for r in readers) and len(readers) == 2


def test_show(w):
    shown = w.samira.say("show", w.case)
    for words in ("Verwijzing 1", w.case, "M. van der Linde, Huisartsen Kastanjehof", "Fenna Tjoelker",
                  "17-04-2013", "0570-000111", "Kastanjehof 12", "Vraag helder maken",
                  "Lichte of matige psychische klachten", "Na het eerste gesprek",
                  "Na een aantal gesprekken: 3", "verzuim.pdf", "Somber sinds de zomer", "Toestemming"):
        assert words in shown, f"{words!r} is not in\n{shown}"
    assert read(LETTER).decode().strip() in shown
    assert "Referral 1" in w.samira.say("--lang", "en", "show", "1")
    own = w.gp.say("show", "1")  # the sender's own copy, with how it stands
    assert read(LETTER).decode().strip() in own and "Stand         " in own and "Bijlagen" in own
    assert w.samira.say("inbox") == "Geen nieuwe berichten.\n"
    assert len(w.samira.json("inbox", "--all")) == 1
    said = w.gp.say("sent", "1", "--refresh")
    assert "Geopend door Samira Haddou" in said and "Opgehaald, nog niet geopend" in said, said
    letter = w.joost.json("show", "1")
    assert letter["letter"] == read(LETTER).decode()
    assert letter["youth"]["born"] == "2013-04-17" and letter["reason"] == "mild-psychological"
    assert letter["files"] == [{"name": "verzuim.pdf", "media_type": "application/pdf",
                                "size": os.path.getsize(PDF)}]
    for words in (["show", "99"], ["show", "AAA-AAA"], ["show", "x"]):
        w.samira.run(*words, status=NOINPUT)


def test_a_person_is_asked_about_warnings(w):
    w.gp.run(*refer(), status=DATAERR)
    assert "loopt hier al een casus" in w.gp.errors and "--yes" in w.gp.errors
    assert "niet verstuurd" in w.gp.answer("nee", *refer(), status=DATAERR)
    nearly = (datetime.date.today() - datetime.timedelta(days=18 * 365)).strftime("%d-%m-%Y")
    other = refer(youth=None, name="Daan Visser", born=nearly, reason="Pedagogische vraag")
    w.gp.run(*other, status=DATAERR)
    assert "binnen een half jaar 18" in w.gp.errors
    assert len(w.gp.json("sent")) == 1
    assert "Bewaard, nog niet opgehaald" in w.gp.answer("ja", *other)
    assert w.gp.json("sent")[0]["youth_name"] == "Daan Visser"


def test_find(w):
    for words in (["fenna"], ["Tjoelker", "2013-04-17"], [w.case], ["17-04-2013"], ["somber"]):
        assert [m["number"] for m in w.samira.json("find", *words)] == [1], words
    assert w.samira.json("find", "fenna", "giraffe") == []


def test_an_answer_comes_back(w):
    sent = w.samira.json("send", w.case, "--kind", "note", "--letter", ANSWER, "--reply-to", "1")
    assert sent["state"] == "stored" and sent["in_reply_to"]
    w.gp.run("sync")
    shown = w.gp.say("show", w.case)
    assert read(ANSWER).decode().strip() in shown and "Samira Haddou, Sociaal team" in shown
    assert "In deze casus ook:" in shown
    assert w.joost.json("sync")["received"] == 2  # Daan's referral, and what a colleague sent
    assert read(ANSWER).decode().strip() in w.joost.say("show", w.case)
    w.gp.run("send", w.case, "--letter", "-", data="Dank u.\n".encode())
    for words, status in ((["send", w.case, "--kind", "claim", "--letter", ANSWER], USAGE),
                          (["send", "--letter", ANSWER], USAGE),
                          (["send", "AAA-AAA", "--letter", ANSWER], NOINPUT),
                          (["send", w.case, "--to", "Sociaal", "--letter", ANSWER], USAGE)):
        w.gp.run(*words, status=status)
    notice = w.samira.json("send", "--to", "Kastanjehof", "--letter", "-", data=b"Wij verhuizen.")
    assert (notice["kind"], notice["state"], notice["case_id"]) == ("notice", "stored", None)


def test_export(w):
    sealed, header, folder = w.path("letter.der"), w.path("letter.header"), w.path("dossier")
    w.joost.run("export", "1", "--out", sealed)
    w.joost.run("export", "1", "--header", "--out", header)
    assert wire.Header.FromString(read(header)).kind == 1
    both = w.joost.json("export", "1")
    assert base64.b64decode(both["sealed"]) == read(sealed) == w.joost.run("export", "1")
    assert base64.b64decode(both["header"]) == read(header)
    w.joost.run("export", "1", "--out", sealed, status=CANTCREAT)  # never overwrites
    w.joost.run("export", "1", "--out", w.path("no/where"), status=CANTCREAT)
    assert "no/where is niet te schrijven: dit bestand of deze map is er niet" in w.joost.errors, w.joost.errors
    w.joost.run("export", "1", "--plain", "--header", status=USAGE)
    plain = w.joost.say("export", "1", "--plain")
    assert read(LETTER).decode().strip() in plain and "--out" in w.joost.errors
    os.mkdir(folder)
    written = w.joost.say("export", "1", "--plain", "--out", folder).split()
    assert sorted(os.listdir(folder)) == sorted(os.path.basename(p) for p in written)
    assert read(os.path.join(folder, f"{w.case}-1-1-verzuim.pdf")) == read(PDF)
    assert read(LETTER).decode().strip() in read(os.path.join(folder, f"{w.case}-1.txt")).decode()
    w.joost.run("export", "1", "--plain", "--out", folder, status=CANTCREAT)
    files = w.joost.json("export", "1", "--plain")["files"]
    assert base64.b64decode(files[0]["data"]) == read(PDF)
    opened = subprocess.run(["openssl", "cms", "-decrypt", "-inform", "DER", "-in", sealed, "-recip",
                             w.path("joost.crt/sealing.pem"), "-inkey",
                             os.path.join(w.joost.home, "sealing.key")], capture_output=True)
    assert opened.returncode == 0 and b"Beste collega" in opened.stdout, opened.stderr


def test_text_of_others_steers_no_terminal(w):
    w.gp.run("send", w.case, "--subject", "Vraag over slaap", "--letter", "-",
             data="eerste regel\r\ntweede\tregel\n".encode())
    w.samira.run("sync")
    shown = w.samira.say("show", w.case)
    assert "eerste regel\ntweede\tregel" in shown
    assert all(ch >= " " or ch in "\n\t" for ch in shown)
    w.gp.run("send", w.case, "--letter", "-", data=b"\x1b[2J wist u dat", status=DATAERR)


# ---- off-line ----

def test_off_line(w):
    w.relay.stop()
    begin = time.monotonic()
    said = w.gp.say("send", w.case, "--letter", ANSWER, "--wait", "1")
    assert ("Nog niet verzonden. Uw bericht blijft bewaard. Kan het niet wachten? "
            "Bel Sociaal team Voorbeeldstad, 0570-000333.") in said, said
    assert time.monotonic() - begin < 20
    first = w.gp.json("sent")[0]
    assert first["state"] == "unsent"
    w.gp.run("sync", "--wait", "1", status=TEMPFAIL)
    assert "niet bereikt" in w.gp.errors, w.gp.errors
    assert w.gp.json("sync", "--wait", "1", status=TEMPFAIL)["synced"] is False
    assert "Not sent yet." in w.gp.say("--lang", "en", "send", w.case, "--letter", ANSWER, "--wait", "0")
    second = w.gp.json("sent")[0]
    discarded = w.gp.json("discard", str(second["number"]))
    assert discarded["state"] == "discarded"
    assert w.samira.say("show", "1").startswith("Verwijzing 1")  # reading needs no relay
    w.relay.start()
    w.gp.run("sync")
    states = {m["number"]: m["state"] for m in w.gp.json("sent")}
    assert states[first["number"]] == "stored" and states[second["number"]] == "discarded"
    w.gp.run("discard", str(first["number"]), status=CANTCREAT)
    w.samira.run("sync")
    texts = [w.samira.json("show", str(m["number"]))["letter"] for m in w.samira.json("inbox")]
    assert texts.count(read(ANSWER).decode()) == 1


def test_watch_sends_for_other_commands(w):
    watch = subprocess.Popen(w.gp.command("--json", "watch"), stdout=subprocess.PIPE)
    try:
        assert json.loads(watch.stdout.readline())["event"] == "connected"
        sent = w.gp.json("send", w.case, "--letter", ANSWER)
        assert sent["state"] == "stored", sent
        w.gp.run("watch", status=TEMPFAIL)
        w.gp.run("sync")
        w.samira.run("sync")
        events = []
        w.samira.run("send", w.case, "--letter", ANSWER)
        while "received" not in events:
            events.append(json.loads(watch.stdout.readline())["event"])
        w.relay.restart()
        while events[-1] != "connected":  # by itself
            events.append(json.loads(watch.stdout.readline())["event"])
        assert "stored" in events and "disconnected" in events
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(20) == OK
    finally:
        watch.kill()
        watch.wait()


def test_a_suspended_endpoint_is_told(w):
    endpoint = w.joost.json("whoami")["endpoint"]
    w.relay.ctl("endpoint", "suspend", endpoint)
    w.joost.run("sync", status=NOPERM)
    assert "uitgezet" in w.joost.errors, w.joost.errors
    w.relay.ctl("endpoint", "resume", endpoint)
    w.joost.run("sync")


def test_the_relay_reports_what_nobody_fetched(w):
    number = w.gp.json("send", w.case, "--letter", ANSWER)["number"]
    consultants = [p.json("whoami")["endpoint"] for p in (w.samira, w.joost)]
    for endpoint in consultants:
        w.relay.ctl("endpoint", "suspend", endpoint)
    w.gp.run("sync")
    report = [m for m in w.gp.json("inbox") if m["state"] == "relay"][0]
    assert report["kind"] == "non-delivery"
    assert (f"De relay meldt over bericht {number}: Uw bericht is door niemand van Sociaal team "
            "Voorbeeldstad opgehaald. Bel 0570-000333.") == report["text"], report["text"]
    assert report["text"] in w.gp.say("show", str(report["number"]))
    assert "Vervallen: deze aansluiting is gestopt" in w.gp.say("sent", str(number), "--refresh")
    for endpoint in consultants:
        w.relay.ctl("endpoint", "resume", endpoint)


def test_a_practice_system_acts_for_a_person(w):
    system = Profile(w.folder, "system")
    w.enrol(system, w.path("practice.invitation"))
    assert system.json("whoami")["role"] == "system"
    w.trust_all(system)
    w.trust_all(w.samira)
    new = refer(youth=None, name="Noor Bos", born="2015-01-01")
    system.run(*new, status=DATAERR)  # it must say who acts
    system.run(*new, "--person", "Niemand", status=NOINPUT)
    assert system.json(*new, "--person", "van der linde")["state"] == "stored"
    w.samira.run("sync")
    number = str(w.samira.json("find", "Noor")[0]["number"])
    shown = w.samira.say("show", number)
    assert "het systeem van Huisartsen Kastanjehof, voor M. van der Linde" in shown, shown
    assert [m["by_system"] for m in w.samira.json("find", "Noor")] == [True]
    assert not any(m["by_system"] for m in w.samira.json("find", "Tjoelker"))
    w.samira.run("send", w.samira.json("show", number)["case_code"], "--letter", ANSWER)
    system.run("sync")
    answer = str(system.json("inbox")[0]["number"])
    system.run("show", answer, status=DATAERR)
    system.run("show", answer, "--person", "van der Linde")


def test_another_relay_is_not_believed(w):
    w.joost.run("init", "--relay", "127.0.0.1:1")
    w.joost.run("sync", "--wait", "1", status=TEMPFAIL)
    w.joost.run("init", "--relay", "geen-poort", status=USAGE)
    w.joost.run("init", "--relay", f"127.0.0.1:{w.relay.port}")
    w.joost.run("sync")


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    with Relay() as relay:
        main(TESTS, World(relay))
