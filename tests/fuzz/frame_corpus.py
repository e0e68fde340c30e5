#!/usr/bin/env python3
"""frame-corpus.py: writes the seed corpus of tests/fuzz/fuzz_frame.c into tests/fuzz/corpus/frame.

Needs protoc and Debian's python3-protobuf; run from the project's root after a change of the .proto
files. The seeds are in git, so that a build needs none of this.
"""
import os
import subprocess
import sys
import tempfile

FOLDER = "tests/fuzz/corpus/frame"


def uuid(number, version=4):
    return bytes([number, 0, 0, 0, 0, 0, version << 4, 0, 0x80, 0, 0, 0, 0, 0, 0, 1])


def varint(v):
    out = b""
    while v > 0x7F:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def delimited(message):
    data = message.SerializeToString()
    return varint(len(data)) + data


def header(wire, casefile):
    h = wire.Header(protocol=1, profile=1, message_id=uuid(1, 7), kind=casefile.KIND_REFERRAL,
                    case_id=uuid(2), municipality=uuid(3), to=uuid(4), readers=[uuid(5), uuid(6)],
                    copies=[uuid(7)], written_at_ms=1790000000000, flags=1,
                    reason=casefile.REASON_PARENTING, request_type=casefile.REQUEST_TYPE_CLARIFY)
    getattr(h, "from").CopyFrom(wire.Sender(organisation=uuid(8), endpoint=uuid(9), person=uuid(10)))
    h.moments.add(event=casefile.MOMENT_EVENT_DATE, date=20900)
    return h


def seeds(wire, casefile, content, admin):
    """Name and bytes of each: a letter that chooses what follows, then that."""
    h = header(wire, casefile).SerializeToString()
    envelope = wire.Envelope(header=h, sealed=b"0")
    entry = wire.EndpointEntry(
        binding=wire.SignedBinding(binding=b"b", signature=b"s"), identity_certificate=b"i",
        sealing_certificate=b"c", intermediates=[b"m"],
        countersignatures=[wire.Countersignature(endpoint=uuid(1), signature=b"s")], reads=True)
    epoch = wire.Epoch(municipality=uuid(3), epoch=9)
    card = wire.Card(text="Wij zijn er.\nBel.", expertise="bewegen", telephone="0314 123456")
    c, s = wire.ClientFrame, wire.ServerFrame
    client = [
        c(request=1, hello=wire.Hello(protocol_min=1, protocol_max=1, software="brug 0.1.0")),
        c(request=2, submit=wire.Submit(envelope=envelope)),
        c(request=3, subscribe=wire.Subscribe(messages=100, bytes=1 << 20)),
        c(request=4, credit=wire.Credit(messages=1, bytes=1)),
        c(request=5, ack=wire.Ack(organisation=uuid(8), message_id=uuid(1, 7), result=2, code=122)),
        c(request=6, opened=wire.Opened(organisation=uuid(8), message_id=uuid(1, 7), person=uuid(2))),
        c(request=7, get_directory=wire.GetDirectory(municipality=uuid(3), organisations=[uuid(4)],
                                                     after=uuid(5), with_crls=True)),
        c(request=8, track=wire.Track(message_id=uuid(1, 7))),
        c(request=9, ping=wire.Ping()),
        c(request=10, put_countersignature=wire.PutCountersignature(
            endpoint=uuid(5), countersignature=wire.Countersignature(endpoint=uuid(6), signature=b"s"))),
        c(request=11, put_binding=wire.PutBinding(entry=entry)),
        c(request=12, put_absence=wire.PutAbsence(away_until_ms=1790000000000)),
        c(request=13, put_card=wire.PutCard(card=card)),
        c(request=14, put_tags=wire.PutTags(case_id=uuid(2), key_id=uuid(12), child=bytes(range(32)),
                                            household=bytes(32))),
        c(request=15, get_figures=wire.GetFigures(municipality=uuid(3), period=casefile.FIGURE_PERIOD_QUARTER, date=20500,
                                                  after=uuid(4))),
    ]
    server = [
        s(request=1, welcome=wire.Welcome(
            protocol=1, municipality=uuid(3), organisation=uuid(4), endpoint=uuid(5), role=7,
            limits=wire.Limits(frame_bytes_max=1 << 23, message_bytes_max=1 << 23, readers_max=128,
                               requests_max=1024, credit_messages_max=10000, credit_bytes_max=1 << 26,
                               idle_ms_max=300000),
            epochs=[epoch], server_time_ms=1790000000000, generation=uuid(11), family_key=uuid(12))),
        s(request=2, receipt=wire.Receipt(message_id=uuid(1, 7), stored_at_ms=1790000000000,
                                          generation=uuid(11))),
        s(request=3, refused=wire.Refused(code=72, message_id=uuid(1, 7), field="x", passing=True,
                                          retry_after_ms=500)),
        s(deliver=wire.Deliver(sequence=1, stored_at_ms=1790000000000, envelope=envelope, attempt=1)),
        s(request=5, acked=wire.Acked(organisation=uuid(8), message_id=uuid(1, 7))),
        s(request=6, noted=wire.Noted()),
        s(request=7, directory=wire.Directory(
            epoch=epoch, next=uuid(9), crls=[b"l"],
            organisations=[wire.OrganisationEntry(roster=b"r", name="De Linde", identifier="brug:x",
                                                  area="Vorden", endpoints=[entry], card=card,
                                                  addressable=True, municipalities=[uuid(3)])])),
        s(request=8, tracked=wire.Tracked(message_id=uuid(1, 7), stored_at_ms=1790000000000, readers=[
            wire.ReaderFact(endpoint=uuid(5), person=uuid(6), fetched_at_ms=1790000000000)])),
        s(request=9, pong=wire.Pong(server_time_ms=1790000000000)),
        s(go_away=wire.GoAway(code=21, retry_after_ms=1000)),
        s(directory_moved=wire.DirectoryMoved(epoch=epoch)),
        s(request=14, case_facts=casefile.Case(
            case_id=uuid(2), municipality=uuid(3), practice=uuid(8), team=uuid(4), message_id=uuid(1, 7),
            state=casefile.CASE_STATE_SUPPORT, custody=casefile.SIDE_TEAM, director=uuid(10), family_key=uuid(12),
            linked=[casefile.LinkedCase(case_id=uuid(13), director=uuid(14), same_child=True)])),
        s(request=15, figures=wire.Figures(
            municipality=uuid(3), period=casefile.FIGURE_PERIOD_QUARTER, from_date=20454, until_date=20543, next=uuid(4),
            teams=[wire.TeamFigures(team=uuid(4), name="Team", published_at_ms=1790000000000, rows=[
                wire.FigureRow(measure=1, form=1, number=12), wire.FigureRow(measure=7, form=2, number=5, name="Vorden")])])),
    ]
    for m in client:
        yield "client-" + m.WhichOneof("frame").replace("_", "-"), b"c" + delimited(m)
    for m in server:
        yield "server-" + m.WhichOneof("frame").replace("_", "-"), b"s" + delimited(m)
    yield "client-two", b"c" + delimited(client[0]) + delimited(client[8])
    yield "header", b"h" + h
    binding = wire.Binding(version=1, municipality=uuid(3), organisation=uuid(4), person=uuid(5),
                           endpoint=uuid(6), identity_key=b"i", sealing_key=b"s",
                           made_at_ms=1790000000000)
    yield "binding", b"\x00" + binding.SerializeToString()
    roster = wire.Roster(organisation=uuid(4), kind=2, home=uuid(3))
    roster.persons.add(person=uuid(5), name="A. de Vries", role=4, active=True)
    roster.endpoints.add(endpoint=uuid(6), person=uuid(5), binding_digest=bytes(32))
    yield "roster", b"\x01" + roster.SerializeToString()
    letter = content.Content(nonce=bytes(32), header_digest=bytes(32), sender_roster_digest=bytes(32),
                             to_roster_digest=bytes(32), padding=bytes(20))
    letter.letter.text = "Beste collega"
    letter.letter.youth.born = 20120229
    letter.letter.youth.telephones.append("0314 123456")
    letter.letter.attachments.add(name="a.pdf", media_type="application/pdf", data=b"d")
    yield "content", b"\x02" + letter.SerializeToString()
    key = content.Content(nonce=bytes(32), header_digest=bytes(32), sender_roster_digest=bytes(32),
                          to_roster_digest=bytes(32), family_key=bytes(range(32)), padding=bytes(20))
    yield "content-family-key", b"\x02" + key.SerializeToString()
    letter.ClearField("letter")
    letter.history.CopyFrom(content.HistoryLetter(header=h, signed_data=b"s", author=entry,
                                                  stored_at_ms=1790000000000, was_opened=True))
    yield "content-history", b"\x02" + letter.SerializeToString()
    recovered = admin.RecoveredLetter(envelope=envelope.SerializeToString(), stored_at_ms=1790000000000,
                                      author=entry)
    yield "recovery-item", b"\x06" + admin.RecoveryItem(letter=recovered).SerializeToString()


def main():
    with tempfile.TemporaryDirectory() as generated:
        names = [f"proto/brug/v1/{n}.proto" for n in ("casefile", "wire", "content", "record", "admin")]
        subprocess.run(["protoc", "-Iproto", f"--python_out={generated}"] + names, check=True)
        sys.path.insert(0, generated)
        from brug.v1 import admin_pb2, casefile_pb2, content_pb2, wire_pb2  # made just above
        os.makedirs(FOLDER, exist_ok=True)
        for name, data in seeds(wire_pb2, casefile_pb2, content_pb2, admin_pb2):
            with open(os.path.join(FOLDER, name), "wb") as f:
                f.write(data)


if __name__ == "__main__":
    main()
