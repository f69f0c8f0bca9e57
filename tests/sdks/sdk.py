"""The gateways' SDKs for Python. A line of JSON says what one of them is to do, a line of JSON what came of it.

sign: make the callback that the gateway would send. callback, request: judge what kamid signed, a callback with the
gateway's keys or a request with the merchant's. Nothing here signs or judges by itself: that is the SDKs' part.
"""

import json
import sys
import traceback
from unittest.mock import patch
from urllib.parse import parse_qsl, urlencode


class Refused(Exception):
    """The SDK does not believe it."""


def form(fields, charset="utf-8"):
    kind = "application/x-www-form-urlencoded"
    body = urlencode(fields, encoding=charset)
    return {"method": "POST", "query": "", "headers": [["Content-Type", kind]], "body": body}


def asked(fields):
    return {"method": "GET", "query": urlencode(fields), "headers": [], "body": ""}


def posted(body, headers):
    headers = [["Content-Type", "application/json"], *([name, str(text)] for name, text in headers.items())]
    return {"method": "POST", "query": "", "headers": headers, "body": body}


def pairs(request):
    """The parameters of a form or a query."""
    return dict(parse_qsl(request["query"] or request["body"], keep_blank_values=True, strict_parsing=True))


def read(number, amount):
    return {"number": number, "amount": str(amount)}


class Alipay:
    package = "alipay-sdk-python"

    def __init__(self):
        from alipay.aop.api.util import SignatureUtils

        self.sdk = SignatureUtils

    def sign(self, key, given):
        from Crypto.PublicKey import RSA

        charset, fields = given["charset"], {**given["fields"], "charset": given["charset"]}
        pkcs1 = RSA.import_key(f"-----BEGIN PRIVATE KEY-----\n{key['private']}\n-----END PRIVATE KEY-----").export_key()
        sign = self.sdk.sign_with_rsa2(pkcs1.decode(), self.sdk.get_sign_content(fields), charset)
        return form({**fields, "sign_type": "RSA2", "sign": sign}, charset)

    def judge(self, key, fields):
        import rsa

        sign = fields.pop("sign")
        try:
            self.sdk.verify_with_rsa(key["public"], self.sdk.get_sign_content(fields).encode(), sign)
        except rsa.VerificationError:
            raise Refused from None

    def callback(self, key, request):
        fields = pairs(request)
        fields.pop("sign_type")
        self.judge(key, fields)
        return read(fields["out_trade_no"], fields["total_amount"])

    def request(self, key, request):
        fields = pairs(request)
        self.judge(key, fields)
        content = json.loads(fields["biz_content"])
        return read(content["out_trade_no"], content.get("total_amount") or content.get("refund_amount"))


class WeChat:
    package = "wechatpayv3"

    def __init__(self):
        from wechatpayv3 import core, utils

        self.sdk, self.utils = core, utils

    def core(self, key):
        public = {"public_key": key["public"], "public_key_id": key["id"]}
        return self.sdk.Core(key["mchid"], key["serial"], key["private"], key["apiv3"], **public)

    def sign(self, key, given):
        from base64 import b64encode

        at, nonce, core = given["at"], given["nonce"], self.core(key)
        # The SDK only opens what is sealed; the seal is of the library that it opens with.
        seal = self.utils.AESGCM(key["apiv3"].encode())
        sealed = seal.encrypt(nonce[:12].encode(), given["text"].encode(), b"transaction")
        resource = {"algorithm": "AEAD_AES_256_GCM", "ciphertext": b64encode(sealed).decode(), "nonce": nonce[:12]}
        resource |= {"associated_data": "transaction", "original_type": "transaction"}
        body = {"id": "EV-1", "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource"}
        body = json.dumps(body | {"resource": resource})
        headers = {"Wechatpay-Timestamp": at, "Wechatpay-Nonce": nonce, "Wechatpay-Serial": key["id"]}
        headers["Wechatpay-Signature"] = core.sign([str(at), nonce, body])
        return posted(body, headers | {"Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048"})

    def callback(self, key, request):
        told = self.core(key).callback(dict(request["headers"]), request["body"])
        if told is None:
            raise Refused
        return read(told["resource"]["out_trade_no"], told["resource"]["amount"]["total"])

    def request(self, key, request):
        """What the SDK would have sent, at that moment and with that nonce."""
        given = dict(request["headers"])["authorization"]
        parts = dict(part.split("=", 1) for part in given.split(" ", 1)[1].split(","))
        at, nonce = (parts[name].strip('"') for name in ("timestamp", "nonce_str"))
        private = self.utils.load_private_key(key["private"])
        with patch.object(self.utils.time, "time", lambda: int(at)):
            rest = {"data": request["body"], "nonce_str": nonce}
            wanted = self.utils.build_authorization(
                request["path"], request["method"], key["mchid"], key["serial"], private, **rest
            )
        if given != wanted:
            raise Refused
        body = json.loads(request["body"] or "{}")
        number = body.get("out_trade_no") or request["path"].split("?")[0].rsplit("/", 1)[1]
        return read(number, body.get("amount", {}).get("total"))


class Stripe:
    package = "stripe"

    def __init__(self):
        import stripe

        self.sdk = stripe

    def sign(self, key, given):
        header = self.sdk.WebhookSignature.generate_signature_header(given["body"], key["secret"], given["at"])
        return posted(given["body"], {"Stripe-Signature": header})

    def callback(self, key, request):
        given = dict(request["headers"])["Stripe-Signature"]
        try:
            event = self.sdk.Webhook.construct_event(request["body"].encode(), given, key["secret"])
        except self.sdk.SignatureVerificationError:
            raise Refused from None
        session = event.data.object
        return read(session.client_reference_id, session.amount_total)


class StandardWebhooks:
    package = "standardwebhooks"

    def __init__(self):
        from standardwebhooks import webhooks

        self.sdk = webhooks

    def sign(self, key, given):
        from datetime import datetime, timezone

        moment = datetime.fromtimestamp(given["at"], timezone.utc)
        sign = self.sdk.Webhook(key["secret"]).sign(given["id"], moment, given["body"])
        headers = {"webhook-id": given["id"], "webhook-timestamp": given["at"], "webhook-signature": sign}
        return posted(given["body"], headers)

    def callback(self, key, request):
        try:
            told = self.sdk.Webhook(key["secret"]).verify(request["body"].encode(), dict(request["headers"]))
        except self.sdk.WebhookVerificationError:
            raise Refused from None
        return read(told["data"]["order_no"], told["data"]["amount_minor"])


class Epay:
    package = "epay-sdk"

    def __init__(self):
        import epay_sdk

        self.sdk = epay_sdk

    def client(self, key):
        config = self.sdk.EPayConfig(base_url="https://pay.example", pid=key["pid"], key=key["secret"])
        return self.sdk.EPayClient(config)

    def sign(self, key, given):
        fields = given["fields"]
        return asked({**fields, "sign": self.client(key).sign(fields), "sign_type": "MD5"})

    def callback(self, key, request):
        from epay_sdk.exceptions import EPaySignError

        try:
            told = self.client(key).verify_callback(pairs(request))
        except EPaySignError:
            raise Refused from None
        return read(told.out_trade_no, told.money)

    def request(self, key, request):
        fields = pairs(request)
        if not self.client(key).verify_sign(fields):
            raise Refused
        return read(fields["out_trade_no"], fields["money"])


class EpusdtEpay:
    """epay's first version, as epusdt speaks it."""

    package = "epusdt"

    def __init__(self):
        from epusdt import signature

        self.sdk = signature

    def sign(self, key, given):
        fields = given["fields"]
        sign = self.sdk.generate_epay_signature(fields, key["secret"])
        return asked({**fields, "sign": sign, "sign_type": "MD5"})

    def callback(self, key, request):
        fields = pairs(request)
        if not self.sdk.verify_epay_signature(fields, key["secret"]):
            raise Refused
        return read(fields["out_trade_no"], fields["money"])

    request = callback


class EpayV2:
    """The text that is signed is the SDK's; no published SDK has the RSA over it, so that is PyPI cryptography's."""

    package = "epusdt"

    def __init__(self):
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding
        from epusdt import signature

        self.sdk, self.load, self.how = signature, serialization, (padding.PKCS1v15(), hashes.SHA256())

    def sign(self, key, given):
        from base64 import b64decode, b64encode

        private = self.load.load_der_private_key(b64decode(key["private"]), None)
        text = self.sdk.build_epay_signing_string(given["fields"])
        sign = b64encode(private.sign(text.encode(), *self.how)).decode()
        return asked({**given["fields"], "sign": sign, "sign_type": "RSA"})

    def callback(self, key, request):
        from base64 import b64decode

        from cryptography.exceptions import InvalidSignature

        fields = pairs(request)
        public = self.load.load_der_public_key(b64decode(key["public"]))
        try:
            public.verify(b64decode(fields["sign"]), self.sdk.build_epay_signing_string(fields).encode(), *self.how)
        except InvalidSignature:
            raise Refused from None
        return read(fields["out_trade_no"], fields.get("money"))

    request = callback


def dumped(fields, style):
    return json.dumps(fields, ensure_ascii=style == "escaped", indent=2 if style == "pretty" else None)


class Gmpay:
    package = "epusdt"

    def __init__(self):
        from epusdt import signature

        self.sdk = signature

    def sign(self, key, given):
        sign = self.sdk.generate_gmpay_signature(given["fields"], key["secret"])
        return posted(dumped({**given["fields"], "signature": sign}, given["style"]), {})

    def callback(self, key, request):
        fields = json.loads(request["body"])
        if not self.sdk.verify_gmpay_signature(fields, key["secret"]):
            raise Refused
        return read(fields["order_id"], fields["amount"])

    request = callback


class Bepusdt:
    package = "bepusdt"

    def __init__(self):
        from bepusdt import BEpusdtClient, signature

        self.sdk, self.client = signature, BEpusdtClient

    def sign(self, key, given):
        sign = self.sdk.generate_signature(given["fields"], key["secret"])
        return posted(dumped({**given["fields"], "signature": sign}, given["style"]), {})

    def callback(self, key, request):
        fields = json.loads(request["body"])
        if not self.client("https://pay.example", key["secret"]).verify_callback(fields):
            raise Refused
        return read(fields["order_id"], fields["amount"])

    request = callback


SDKS = {
    "alipay": Alipay,
    "wechat_v3": WeChat,
    "stripe": Stripe,
    "standard_webhooks": StandardWebhooks,
    "epay_v1": Epay,
    "epay_v1 of epusdt": EpusdtEpay,
    "epay_v2": EpayV2,
    "epusdt_gmpay": Gmpay,
    "bepusdt": Bepusdt,
}


def answer(wish):
    sdk = SDKS[wish["sdk"]]
    try:
        sdk = sdk()
    except ImportError as why:
        return {"missing": f"{sdk.package}: {why}"}
    try:
        return {"done": getattr(sdk, wish["what"])(wish["key"], wish["given"])}
    except Refused:
        return {"refused": True}
    except Exception:
        return {"broken": traceback.format_exc()}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
