"""A mail server for the tests: aiosmtpd with STARTTLS and a login, mails into a maildir, and rules for who is refused.

mail.py FOLDER CERT KEY: FOLDER/port says where to listen; FOLDER/rules has lines such as `gone@ 550 no such user`.
"""

import asyncio
import os
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult


class Rules(Mailbox):
    async def handle_RCPT(self, server, session, envelope, address, options):
        for line in open(os.path.join(folder, "rules")):
            start, answer = line.rstrip("\n").split(" ", 1)
            if address.startswith(start):
                return answer.replace("{}", address)
        envelope.rcpt_tos.append(address)
        return "250 OK"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"shop" and data.password == b"mail-password-1", handled=False)


folder, cert, key = sys.argv[1:4]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(cert, key)
port = int(open(os.path.join(folder, "port")).read())

server = Controller(
    Rules(os.path.join(folder, "mail")),
    hostname="127.0.0.1",
    port=port,
    tls_context=tls,
    require_starttls=True,
    authenticator=login,
    auth_required=True,
    enable_SMTPUTF8=True,
)
server.start()
open(os.path.join(folder, "up"), "w").close()
asyncio.new_event_loop().run_forever()
