"""python-tuf as the other side: writes a repository with its metadata API, and canonical JSON.

    tuf_repository.py write DIR     a repository in DIR, targets under DIR/targets
    tuf_repository.py canonical     a JSON list on standard input -> the canonical bytes of each item, hex, as a JSON list
"""
import datetime
import json
import os
import sys

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Signature, Signer, SSlibKey
from tuf.api.metadata import (
    DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, SuccinctRoles, TargetFile, Targets, Timestamp,
)
from tuf.api.serialization.json import JSONSerializer


def ed25519(seed):
    """A signer that needs no `cryptography`: python-tuf itself can do without it."""
    from securesystemslib._vendor.ed25519 import ed25519 as pure

    public = pure.publickey_unsafe(seed)

    class PureSigner(Signer):
        public_key = SSlibKey(f"key-{seed[0]}", "ed25519", "ed25519", {"public": public.hex()})

        @classmethod
        def from_priv_key_uri(cls, *_args):
            raise NotImplementedError

        def sign(self, payload):
            return Signature(self.public_key.keyid, pure.signature_unsafe(payload, seed, public).hex())

    return PureSigner()


def write(folder):
    expires = datetime.datetime(2036, 1, 1, tzinfo=datetime.timezone.utc)
    signers = {role: ed25519(bytes([n] * 32)) for n, role in enumerate(["root", "timestamp", "snapshot", "targets", "bin", "odd"], 1)}
    os.makedirs(os.path.join(folder, "targets", "content"), exist_ok=True)

    def target(path, data, custom=None):
        info = TargetFile.from_data(path, data, ["sha512", "sha256"])
        if custom:
            info.unrecognized_fields["custom"] = custom
        head, _, name = path.rpartition("/")
        with open(os.path.join(folder, "targets", head, f"{info.hashes['sha256']}.{name}"), "wb") as file:
            file.write(data)
        return info

    def save(role, signed, signer, name):
        data = Metadata(signed)
        data.sign(signers[signer])
        content = data.to_bytes(JSONSerializer(compact=role != "targets"))  # both ways python-tuf writes JSON
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
        return MetaFile.from_data(signed.version, content, ["sha256", "sha512"])

    root = Root(expires=expires, consistent_snapshot=True)
    for role in ("root", "timestamp", "snapshot", "targets"):
        root.add_key(signers[role].public_key, role)
    root.unrecognized_fields["x-note"] = "\N{GRINNING FACE} \"quoted\\\" \uffee"

    targets = Targets(expires=expires)
    targets.targets["top"] = target("top", b"top")
    odd = DelegatedRole("../odd role", [], 1, True, None, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"])
    catalogue = DelegatedRole("catalogue", [], 1, True, ["content/*"], None)
    targets.delegations = Delegations({}, {"catalogue": catalogue, "../odd role": odd})
    targets.add_key(signers["targets"].public_key, "catalogue")
    targets.add_key(signers["odd"].public_key, "../odd role")

    meta = {"targets.json": save("targets", targets, "targets", "1.targets.json")}
    bins = SuccinctRoles([], 1, 2, "bin")
    contents = Targets(expires=expires, delegations=Delegations({}, succinct_roles=bins))
    contents.add_key(signers["bin"].public_key)
    meta["catalogue.json"] = save("catalogue", contents, "targets", "1.catalogue.json")
    paths = [f"content/{n}" for n in range(8)]
    for name in bins.get_roles():
        held = Targets(expires=expires)
        for path in paths:
            if bins.get_role_for_target(path) == name:
                held.targets[path] = target(path, path.encode(), {"\uffee": 1, "\U0001f600": ["\n", None, True], "é": "\u2028"})
        meta[f"{name}.json"] = save(name, held, "bin", f"1.{name}.json")
    other = Targets(expires=expires, targets={"policy": target("policy", b"policy")})
    meta["../odd role.json"] = save("odd", other, "odd", "1...%2Fodd%20role.json")

    snapshot = save("snapshot", Snapshot(expires=expires, meta=meta), "snapshot", "1.snapshot.json")
    save("timestamp", Timestamp(expires=expires, snapshot_meta=snapshot), "timestamp", "timestamp.json")
    save("root", root, "root", "1.root.json")


if sys.argv[1] == "write":
    write(sys.argv[2])
else:
    print(json.dumps([encode_canonical(item).encode().hex() for item in json.load(sys.stdin)]))
