"""yubikit's security domain session against a card that waits for a vpcd reader: authenticates, reads, puts keys, and comes back
with the new ones. Prints one JSON object. Arguments: port, then the first keyset and the new one as version:enc:mac:dek, hex."""

import json
import socket
import struct
import sys

from yubikit.core import TRANSPORT
from yubikit.core.smartcard import ApduError, SmartCardConnection
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, StaticKeys
from yubikit.securitydomain import SecurityDomainSession

SCP03_KEY_ID = 1


class VpcdConnection(SmartCardConnection):
    """The reader's side of vpcd: two bytes of length before each message."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(20)
        self.send(b"\x01")
        self.send(b"\x04")
        self.atr = self.receive()

    @property
    def transport(self):
        return TRANSPORT.USB

    def send(self, message):
        self.socket.sendall(struct.pack(">H", len(message)) + message)

    def receive(self):
        (length,) = struct.unpack(">H", self.exactly(2))
        return self.exactly(length)

    def exactly(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError("the card was taken out")
            data += more
        return data

    def send_and_receive(self, apdu):
        self.send(apdu)
        answer = self.receive()
        return answer[:-2], struct.unpack(">H", answer[-2:])[0]

    def close(self):
        self.socket.close()


def keyset(text):
    version, *keys = text.split(":")
    return int(version, 16), StaticKeys(*(bytes.fromhex(key) for key in keys))


def session(port, version, keys):
    connection = VpcdConnection(port)
    opened = SecurityDomainSession(connection)
    opened.authenticate(Scp03KeyParams(KeyRef(SCP03_KEY_ID, version), keys))
    return connection, opened


def main(port, first, new):
    first_version, first_keys = keyset(first)
    new_version, new_keys = keyset(new)
    report = {}

    connection, opened = session(port, first_version, first_keys)
    report["atr"] = connection.atr.hex()
    report["recognition"] = bytes(opened.get_card_recognition_data()).hex()
    report["keys"] = sorted(f"{ref.kvn:02x}/{ref.kid}" for ref in opened.get_key_information())
    opened.put_key(KeyRef(SCP03_KEY_ID, new_version), new_keys)
    report["keysAfter"] = sorted(f"{ref.kvn:02x}/{ref.kid}" for ref in opened.get_key_information())
    connection.close()

    connection, opened = session(port, new_version, new_keys)
    opened.put_key(KeyRef(SCP03_KEY_ID, new_version), first_keys, new_version)
    connection.close()

    connection, opened = session(port, new_version, first_keys)
    report["replaced"] = len(opened.get_key_information())
    connection.close()

    try:
        session(port, new_version, new_keys)
        report["oldKeys"] = "believed"
    except Exception as error:  # which one is yubikit's matter
        report["oldKeys"] = f"refused: {type(error).__name__}"
    print(json.dumps(report))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
