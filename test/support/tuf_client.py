"""python-tuf as a judge: refreshes and downloads from a repository, prints one JSON line.

{"ok": true} or {"ok": false, "error": "<exception class>", "message": "..."}; exit 0 or 1.
Adds the handset's certificate and a grant to requests, which content bytes need.
"""
import argparse
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater


class Fetcher(FetcherInterface):
    def __init__(self, context, grant):
        self.context, self.grant = context, grant

    def _fetch(self, url):
        headers = {}
        content = re.match(r"(https?://[^/]+)/.*/content/(?:[0-9a-f]{64}\.)?([0-9a-f-]{36})$", url)
        if content and self.grant:  # content bytes are not beside the metadata, see deploy/protocol.md
            url = f"{content[1]}/d/v1/contents/{content[2]}"
            headers = {"Authorization": f"Grant {self.grant}"}
        try:
            answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=self.context)
        except urllib.error.HTTPError as error:
            raise DownloadHTTPError(str(error), error.code) from error
        return iter(lambda: answer.read(65536), b"")


def main():
    parse = argparse.ArgumentParser()
    for name in ("metadata-dir", "metadata-url", "target-base-url", "target-dir", "root", "ca", "cert", "key", "grant"):
        parse.add_argument("--" + name)
    parse.add_argument("targets", nargs="*")
    options = parse.parse_args()
    context = None
    if options.ca:
        context = ssl.create_default_context(cafile=options.ca)
        if options.cert:
            context.load_cert_chain(options.cert, options.key)
    os.makedirs(options.metadata_dir, exist_ok=True)
    bootstrap = open(options.root, "rb").read() if options.root else None
    try:
        updater = Updater(
            options.metadata_dir, options.metadata_url, options.target_dir, options.target_base_url,
            fetcher=Fetcher(context, options.grant), bootstrap=bootstrap,
        )
        updater.refresh()
        held = []
        for name in options.targets:
            info = updater.get_targetinfo(name)
            if info is None:
                raise LookupError(name)
            held.append(updater.download_target(info))
        print(json.dumps({"ok": True, "files": held}))
    except Exception as error:  # the class is the verdict
        print(json.dumps({"ok": False, "error": type(error).__name__, "message": str(error)[:500]}))
        sys.exit(1)


main()
