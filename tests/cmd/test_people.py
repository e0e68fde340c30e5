"""People who come and go, with a real relay: a new colleague, who leaves (T18), a lost laptop, and lost keys.

The tests build on one another, in this order.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from profiles import ANSWER, CANTCREAT, DATAERR, LETTER, NOINPUT, NOPERM, USAGE, Profile, World, read, refer  # noqa: E402
from relay import Relay  # noqa: E402
from tap import expect, main  # noqa: E402
from wire import admin, wire  # noqa: E402

GONE = NOPERM  # what a suspended client's command ends with
TEXT = "Graag uw hulp"  # of the referral's letter


def sync(*profiles):
    for p in profiles:
        p.run("sync")


def letters(profile, code):
    return profile.json("case", code)["letters"]


def kinds(profile, code):
    return [m["kind"] for m in letters(profile, code)]


def ctl_fails(w, *words, says):
    """One line that says what is wrong."""
    e = expect(RuntimeError, lambda: w.relay.ctl(*words))
    assert says in str(e) and str(e).count("\n") == 0, e


def endpoint_of(profile):
    return profile.json("whoami")["endpoint"]


def person_of(profile):
    return profile.json("whoami")["person"]


def new_case(w, name):
    sent = w.gp.json(*refer("--yes", youth=None, name=name, born="2014-02-01"))
    assert sent["state"] == "stored", sent
    return sent["case_code"]


def enrol_new(w, name, person, role, organisation):
    profile = Profile(w.folder, name)
    w.enrol(profile, w.invite(organisation, person, role))
    return profile


def confirm(w, *profiles):
    for p in profiles:
        w.trust_all(p)


def confirm_own(profile):
    """What is said once the own organisation is confirmed."""
    own = [o for o in profile.json("trust", "--refresh") if o["own"]][0]
    return profile.say("trust", own["organisation"], "--fingerprint", own["fingerprint"])


# ---- a new colleague ----

def test_a_new_colleague_gets_the_running_cases(w):
    w.enrol(w.gp, w.invite(w.practice, "M. van der Linde", "gp"))
    w.enrol(w.samira, w.invite(w.team, "Samira Haddou", "consultant"))
    w.enrol(w.joost, w.invite(w.team, "Joost Meijer", "consultant"))
    w.enrol(w.spare, w.path("practice.invitation"), "--recovery")
    w.introduce(w.gp, w.samira, w.joost)
    w.code, w.ended = new_case(w, "Fenna Tjoelker"), new_case(w, "Gijs Wolters")
    w.gp.run("withdraw", w.ended, "--yes")
    sync(w.samira)
    w.samira.run("claim", w.code, "--letter", ANSWER)
    sync(w.gp)
    w.gp.run("ask", w.code, "--letter", ANSWER)
    sync(w.samira, w.joost)
    assert kinds(w.samira, w.code) == ["referral", "claim", "info-request"]
    w.nora = enrol_new(w, "nora", "Nora de Wit", "consultant", w.team)
    said = confirm_own(w.nora)
    assert said == "Sociaal team Voorbeeldstad is bevestigd. Ga verder met: brug sync\n", said  # she has nothing to give
    confirm(w, w.nora)
    sync(w.nora)
    assert kinds(w.nora, w.code) == [] and w.nora.json("inbox", "--all") == []
    w.samira.run("show", str(letters(w.samira, w.code)[0]["number"]))
    said = confirm_own(w.samira)  # vouches for the new client, and hands the running cases on
    assert "De brieven van lopende casussen gaan naar de nieuwe aansluiting met: brug sync" in said, said
    sync(w.samira, w.nora)
    found = letters(w.nora, w.code)
    assert [m["kind"] for m in found] == ["referral", "claim", "info-request"], found
    assert {m["handed_on_by"] for m in found} == {"Samira Haddou"}
    assert [m["from_person_name"] for m in found] == ["M. van der Linde", "Samira Haddou", "M. van der Linde"]
    w.nora.run("case", w.ended, status=NOINPUT)
    shown = w.nora.say("case", w.code)
    assert "van M. van der Linde, Huisartsen Kastanjehof (doorgegeven door Samira Haddou)" in shown, shown
    assert "(handed on by Samira Haddou)" in w.nora.say("--lang", "en", "case", w.code)
    assert TEXT in w.nora.say("show", str(found[0]["number"]))
    assert [c["case_code"] for c in w.nora.json("cases", "--team")] == [w.code]
    assert "Fenna Tjoelker" in w.nora.say("find", "tjoelker")
    assert not any(m["missing_before"] for m in found)


def test_what_was_handed_on_stands_in_its_place_and_is_not_new(w):
    """Samira had opened the referral, and nobody the question."""
    found = w.nora.json("inbox")
    assert [m["kind"] for m in found] == ["info-request"], found
    assert w.nora.say("case", w.code).count("(nieuw)") == 1
    sync(w.gp, w.samira)
    w.gp.run("note", w.code, "--letter", ANSWER)
    sync(w.nora, w.samira)
    assert kinds(w.nora, w.code) == ["referral", "claim", "info-request", "note"]
    assert [m["handed_on_by"] for m in letters(w.nora, w.code)][-1] == ""


def test_a_second_giver_and_a_second_time_show_nothing_twice(w):
    before = letters(w.nora, w.code)
    assert w.samira.json("history", "Nora") == {"cases": 0, "letters": 0}
    assert "heeft alles al" in w.samira.say("history", "Nora de Wit")
    sync(w.joost)
    assert w.joost.json("history", "Nora") == {"cases": 1, "letters": 3}
    sync(w.joost, w.nora)
    assert letters(w.nora, w.code) == before
    assert w.joost.json("history", "Nora") == {"cases": 0, "letters": 0}
    assert w.samira.say("history", "Nora", w.ended) == "2 brieven van 1 casus gaan naar deze collega.\n"
    sync(w.nora)
    assert kinds(w.nora, w.ended) == ["referral", "withdrawal"]


def test_a_new_colleague_works_on_in_the_case(w):
    question = [m for m in letters(w.nora, w.code) if m["kind"] == "info-request"][0]
    sent = w.nora.json("answer", w.code, "--letter", ANSWER)
    assert (sent["state"], sent["in_reply_to"]) == ("stored", question["message_id"]), sent
    sync(w.gp, w.samira)
    got = letters(w.gp, w.code)[-1]
    assert (got["kind"], got["from_person_name"], got["missing_before"]) == ("info-reply", "Nora de Wit", False)
    assert w.gp.json("show", str(got["number"]))["answer_signed"] is True


def test_who_cannot_take_it_is_said_in_one_line(w):
    w.samira.run("history", "Nobody", status=NOINPUT)
    w.samira.run("history", "M. van der Linde", status=NOINPUT)
    w.samira.run("history", person_of(w.gp), status=NOINPUT)
    assert "geen aansluiting" in w.samira.errors and w.samira.errors.count("\n") <= 2, w.samira.errors
    w.samira.run("history", "Nora", "ZZZ-ZZZ", status=NOINPUT)
    w.pim = enrol_new(w, "pim", "Pim Bakker", "consultant", w.team)
    sync(w.samira)
    w.samira.run("history", "Pim", status=NOPERM)
    assert "bevestig eerst" in w.samira.errors


def test_history_passes_from_hand_to_hand(w):
    """Nora has the letters from Samira alone; so has Pim from Nora."""
    confirm(w, w.pim)
    w.relay.ctl("person", "suspend", person_of(w.pim))
    w.relay.ctl("person", "resume", person_of(w.pim))
    confirm(w, w.nora)
    sync(w.nora, w.pim)
    found = letters(w.pim, w.code)
    assert [m["kind"] for m in found] == ["referral", "claim", "info-request", "note", "info-reply"], found
    assert {m["handed_on_by"] for m in found} == {"Nora de Wit"}
    assert TEXT in w.pim.say("show", str(found[0]["number"]))
    confirm(w, w.samira, w.joost)
    sync(w.samira, w.joost, w.pim, w.nora)
    assert letters(w.pim, w.code) == [dict(m, opened_at=n["opened_at"]) for m, n in
                                      zip(found, letters(w.pim, w.code))]


# ---- T18: somebody leaves ----

def test_T18_a_leaver_opens_nothing_new_and_the_queue_goes_on(w):
    waiting = new_case(w, "Sem Postma")
    w.relay.ctl("person", "suspend", person_of(w.samira))
    w.samira.run("sync", status=GONE)
    assert "Deze aansluiting is tijdelijk uitgezet." in w.samira.errors, w.samira.errors
    assert waiting not in str(w.samira.json("cases", "--team")) + str(w.samira.json("inbox", "--all"))
    later = new_case(w, "Tess Hoekstra")
    sync(w.joost, w.nora, w.pim)
    for code in (waiting, later):
        assert kinds(w.joost, code) == ["referral"]
    number = letters(w.joost, later)[0]["number"]
    w.joost.run("export", str(number), "--out", w.path("later.cms"))
    w.joost.run("export", str(number), "--header", "--out", w.path("later.header"))
    keys = [os.path.join(w.samira.home, "sealing.key"), w.path("samira.crt/sealing.pem")]
    assert not opens(w.path("later.cms"), *keys)
    mine = [os.path.join(w.joost.home, "sealing.key"), w.path("joost.crt/sealing.pem")]
    assert opens(w.path("later.cms"), *mine)
    # the queue: a case that waits is claimed; the leaver's case is taken over
    assert w.joost.json("claim", waiting)["state"] == "stored"
    assert w.joost.json("handover", w.code, "Joost")["state"] == "stored"
    assert w.joost.json("start", w.code, "--involvement", "not-known", "--letter", ANSWER)["state"] == "stored"
    sync(w.gp, w.joost)
    assert w.gp.json("case", w.code)["relay"]["director_name"] == "Joost Meijer"


def opens(cms, key, certificate):
    return subprocess.run(["openssl", "cms", "-decrypt", "-inform", "DER", "-in", cms, "-recip", certificate,
                           "-inkey", key, "-out", os.devnull], capture_output=True).returncode == 0


def test_letters_of_who_left_reach_who_comes_later(w):
    """The author is in no directory any more: believed on the word of who hands it on."""
    w.ilse = enrol_new(w, "ilse", "Ilse Kuiper", "consultant", w.team)
    confirm(w, w.ilse, w.joost)
    sync(w.joost, w.ilse)
    found = letters(w.ilse, w.code)
    by_leaver = [m for m in found if m["from_person_name"] == "Samira Haddou"]
    assert [m["kind"] for m in by_leaver] == ["claim"], found
    assert by_leaver[0]["handed_on_by"] == "Joost Meijer"
    w.ilse.run("show", str(by_leaver[0]["number"]))


# ---- a lost laptop ----

def test_a_lost_laptop_is_one_command_each(w):
    lost = endpoint_of(w.joost)
    before = kinds(w.joost, w.code)
    said = w.relay.ctl("endpoint", "replace", lost, "--out", w.path("again.invitation"))
    assert "suspended" in said.lower(), said
    new = Profile(w.folder, "joost-again")
    w.enrol(new, w.path("again.invitation"))
    assert person_of(new) == person_of(w.joost) and endpoint_of(new) != lost
    confirm(w, new, w.nora)
    sync(w.nora, new)
    assert kinds(new, w.code) == before
    assert new.json("case", w.code)["relay"]["director_name"] == "Joost Meijer"
    sync(w.gp, new)
    assert new.json("interim", w.code, "--letter", ANSWER)["state"] == "stored"
    w.joost.run("sync", status=GONE)
    w.relay.ctl("endpoint", "replace", lost, "--out", w.path("third.invitation"))  # a repeat changes nothing
    ctl_fails(w, "endpoint", "replace", endpoint_of(w.gp)[:-4] + "0000", says="there is no endpoint")
    w.joost = new


# ---- all keys are lost ----

def test_the_recovery_entry_restores_a_practice(w):
    sync(w.gp)
    had = kinds(w.gp, w.code)
    w.gp.run("show", str(letters(w.gp, w.code)[1]["number"]))
    w.nora.run("note", w.code, "--letter", LETTER)  # waits for the GP, whose laptop is gone
    w.old = w.gp
    w.relay.ctl("endpoint", "replace", endpoint_of(w.gp), "--out", w.path("gp-again.invitation"))
    ctl_fails(w, "recover", w.practice, "--out", w.path("early"), says="no new client yet")
    ctl_fails(w, "recover", w.team, "--out", w.path("early"), says="never had a recovery entry")
    ctl_fails(w, "recover", w.practice, says="--out is missing")
    assert not os.path.exists(w.path("early"))
    w.gp = Profile(w.folder, "gp-again")
    w.enrol(w.gp, w.path("gp-again.invitation"))
    w.relay.ctl("recover", w.practice, "--out", w.path("letters"))
    assert os.stat(w.path("letters")).st_mode & 0o777 == 0o600
    ctl_fails(w, "recover", w.practice, "--out", w.path("letters"), says="exists already")
    w.spare.run("recover", w.path("letters"), "--out", w.path("restored"), status=NOPERM)
    assert "brug trust" in w.spare.errors and not os.path.exists(w.path("restored"))
    found, = w.spare.json("trust")
    said = w.spare.say("trust", found["organisation"], "--fingerprint", found["fingerprint"])
    assert said == "Huisartsen Kastanjehof is bevestigd. Ga verder met: brug recover\n"
    done = w.spare.json("recover", w.path("letters"), "--out", w.path("restored"))
    assert done["letters"] > len(had) and done["unreadable"] == 0 and done["damaged"] == 0, done
    confirm(w, w.gp)
    taken = w.gp.json("recover", w.path("restored"))
    assert (taken["letters"] + taken["waiting"], taken["unreadable"]) == (done["letters"], 0), taken
    confirm(w, w.gp)
    sync(w.gp)
    found = letters(w.gp, w.code)
    assert [m["kind"] for m in found] == had + ["note"], found
    assert all(m["recovered"] for m in found)
    assert "(teruggehaald met de herstelsleutel)" in w.gp.say("case", w.code)
    assert TEXT in w.gp.say("show", str(found[0]["number"]))
    opened = [m["message_id"] for m in letters(w.old, w.code) if m["opened_at"]]
    new = [m["message_id"] for m in w.gp.json("inbox") if m["case_code"] == w.code]
    assert opened and found[-1]["message_id"] in new  # the old laptop never had that one
    assert sorted(opened + new) == sorted(m["message_id"] for m in found if m["from"] == w.team), (opened, new)
    again = w.gp.json("recover", w.path("restored"))
    assert (again["letters"], again["waiting"], again["known"]) == (0, 0, done["letters"]), again
    assert w.gp.json("ask", w.code, "--letter", ANSWER)["state"] == "stored"


def test_recovered_letters_go_on_to_a_colleague(w):
    w.locum = Profile(w.folder, "second-gp")
    w.enrol(w.locum, w.invite(w.practice, "P. Locum", "gp"))
    confirm(w, w.locum, w.gp)
    sync(w.gp, w.locum)
    assert kinds(w.locum, w.code) == kinds(w.gp, w.code)
    assert letters(w.locum, w.code)[0]["handed_on_by"] == "M. van der Linde"
    assert TEXT in w.locum.say("show", str(letters(w.locum, w.code)[0]["number"]))


def test_a_practice_system_takes_and_gives(w):
    """It is no person's: it acts for the one that it names."""
    system = Profile(w.folder, "system")
    w.enrol(system, w.path("practice.invitation"))
    confirm(w, system, w.gp)
    sync(w.gp, system)
    assert kinds(system, w.code) == kinds(w.gp, w.code)
    assert w.gp.json("history", endpoint_of(system)) == {"cases": 0, "letters": 0}
    new = enrol_new(w, "new-gp", "Q. Nieuw", "gp", w.practice)
    confirm(w, new, system)
    system.run("history", "Q. Nieuw", status=USAGE)
    done = system.json("history", "Q. Nieuw", "--person", "P. Locum")
    assert done["letters"] >= len(kinds(w.gp, w.code)), done
    sync(system, new)
    assert kinds(new, w.code) == kinds(w.gp, w.code)
    assert {m["handed_on_by"] for m in letters(new, w.code)} == {"P. Locum"}
    spare = {m["kind"] for m in w.spare.json("inbox", "--all")}
    assert spare == set()  # a recovery entry gets nothing by itself
    w.spare.run("history", "Q. Nieuw", status=NOPERM)


def test_the_audit_says_who_took_letters(w):
    account = json.loads(w.relay.ctl("--json", "account"))
    assert account["balanced"] is True, account
    log = read(w.relay.log).decode()
    assert "recovery.page" in log and "Fenna" not in log and TEXT not in log


def items(data):
    """Each with its length before it."""
    while data:
        n, shift, at = 0, 0, 0
        while True:
            n |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                break
        yield data[:at + n]
        data = data[at + n:]


def a_letter(data):
    for item in items(data):
        while item[0] >= 0x80:
            item = item[1:]
        letter = admin.RecoveryItem.FromString(item[1:]).letter
        if letter.envelope:
            return wire.Envelope.FromString(letter.envelope)
    raise AssertionError("no letter")


def test_files_that_are_not_right_are_refused_in_one_line(w):
    good, sealed = read(w.path("restored")), read(w.path("letters"))

    def refused(profile, data, says, *more):
        path = w.path("hostile")
        with open(path, "wb") as f:
            f.write(data)
        before = profile.json("inbox", "--all") if profile is not w.spare else None
        profile.run("recover", path, *more, status=DATAERR)
        first, second = profile.errors.splitlines()
        assert first.startswith("brug: dit bestand is beschadigd, of niet het bestand") and says in second, profile.errors
        assert before is None or profile.json("inbox", "--all") == before

    refused(w.gp, b"", "is no recovery file")
    refused(w.gp, b"-----BEGIN BRUG ANSWER-----\n", "is no recovery file")
    refused(w.gp, sealed, "is for the holder of the recovery key")
    refused(w.spare, good, "is for the new clients", "--out", w.path("never"))
    refused(w.joost, good, "is of another organisation")
    for cut in (len(good) - 1, len(good) // 2, 40, 17):
        refused(w.gp, good[:cut], "is damaged or cut off")
    refused(w.gp, good + b"\x02\x1a\x00", "is damaged or cut off")
    refused(w.gp, good[:17] + b"\xff\xff\xff\xff\x7f" + good[17:], "is damaged or cut off")
    head, first, *rest = items(good[16:])
    refused(w.gp, good[:16] + b"".join([head, *rest]), "is damaged or cut off")  # a letter is missing
    refused(w.gp, good[:16] + b"".join([first, *rest]), "is damaged or cut off")
    refused(w.gp, good[:16] + b"".join([head, first, *rest, rest[-1]]), "is damaged or cut off")
    refused(w.spare, sealed[:-1], "is damaged or cut off", "--out", w.path("never"))
    assert not os.path.exists(w.path("never"))
    w.gp.run("recover", w.path("nothing-there"), status=NOINPUT)
    assert "is niet te lezen: dit bestand of deze map is er niet" in w.gp.errors, w.gp.errors
    w.gp.run("recover", w.path("restored"), "--out", w.path("never"), status=USAGE)
    w.spare.run("recover", w.path("letters"), status=USAGE)
    w.spare.run("recover", w.path("letters"), "--out", w.path("restored"), status=CANTCREAT)
    assert "bestaat al, en wordt niet overschreven" in w.spare.errors, w.spare.errors


def test_a_changed_letter_in_a_file_is_left_out(w):
    """Of a third client, that has none of them yet: all but the one that was changed are taken in."""
    lab = Profile(w.folder, "gp-third")
    w.enrol(lab, w.invite(w.practice, "M. van der Linde-Vos", "gp"))
    w.relay.ctl("recover", w.practice, "--out", w.path("letters3"))
    w.spare.run("recover", w.path("letters3"), "--out", w.path("restored3"), status=NOPERM)
    for o in w.spare.json("trust"):
        w.spare.run("trust", o["organisation"], "--fingerprint", o["fingerprint"])
    done = w.spare.json("recover", w.path("letters3"), "--out", w.path("restored3"))
    data = bytearray(read(w.path("restored3")))
    sealed = a_letter(bytes(data[16:])).sealed
    data[data.index(sealed) + len(sealed) // 2] ^= 1
    with open(w.path("changed"), "wb") as f:
        f.write(data)
    confirm(w, lab)
    taken = lab.json("recover", w.path("changed"))
    assert taken["unreadable"] == 1, taken
    assert taken["letters"] + taken["waiting"] == done["letters"] - 1, (taken, done)
    said = lab.say("recover", w.path("changed"))
    assert f"Die waren er al: {done['letters'] - 1}\nOvergeslagen, want niet te openen: 1\n" in said, said
    said = w.spare.say("recover", w.path("letters3"), "--out", w.path("restored4"))
    assert said == (f"Brieven die weer te openen zijn: {done['letters']}\nBreng {w.path('restored4')} naar de computer met "
                    "de nieuwe aansluiting. Geef daar: brug recover BESTAND\n"), said


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    with Relay() as relay:
        main(TESTS, World(relay))
