// The gateways' SDKs for Node, in the folder that this is started in. A line of JSON says what one of them is to do, a
// line of JSON what came of it; see sdk.py.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.cwd()}/`);

class Refused extends Error {}

const posted = (body, headers) => ({
  method: 'POST',
  query: '',
  headers: [['Content-Type', 'application/json'], ...Object.entries(headers).map(([name, text]) => [name, `${text}`])],
  body,
});
const header = (request, name) => request.headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];
const pem = (kind, base64) => `-----BEGIN ${kind}-----\n${base64}\n-----END ${kind}-----`;
const read = (number, amount) => ({ number, amount: `${amount}` });
const pairs = (request) => Object.fromEntries(new URLSearchParams(request.query || request.body));

// Runs what throws `kind` where it does not believe.
function believing(kind, run) {
  try {
    return run();
  } catch (error) {
    throw error instanceof kind ? new Refused() : error;
  }
}

const alipay = {
  package: 'alipay-sdk',
  judge({ AlipaySdk }, key, request) {
    const sdk = new AlipaySdk({ appId: '1', privateKey: key.private, keyType: 'PKCS8', alipayPublicKey: key.public });
    const fields = pairs(request);
    if (!sdk.checkNotifySignV2(fields)) throw new Refused();
    return fields;
  },
  callback(sdk, key, request) {
    const fields = this.judge(sdk, key, request);
    return read(fields.out_trade_no, fields.total_amount);
  },
  request(sdk, key, request) {
    const content = JSON.parse(this.judge(sdk, key, request).biz_content);
    return read(content.out_trade_no, content.total_amount ?? content.refund_amount);
  },
};

const wechat = {
  package: 'wechatpay-axios-plugin',
  sign({ Aes, Formatter, Rsa }, key, { at, nonce, text }) {
    const ciphertext = Aes.AesGcm.encrypt(text, key.apiv3, nonce.slice(0, 12), 'transaction');
    const sealed = { algorithm: 'AEAD_AES_256_GCM', ciphertext, nonce: nonce.slice(0, 12) };
    const resource = { ...sealed, associated_data: 'transaction' };
    const body = JSON.stringify({ id: 'EV-1', event_type: 'TRANSACTION.SUCCESS', resource });
    return posted(body, {
      'Wechatpay-Timestamp': at,
      'Wechatpay-Nonce': nonce,
      'Wechatpay-Serial': key.id,
      'Wechatpay-Signature': Rsa.sign(Formatter.response(at, nonce, body), pem('PRIVATE KEY', key.private)),
    });
  },
  callback({ Aes, Formatter, Rsa }, key, request) {
    const of = (name) => header(request, `wechatpay-${name}`);
    const text = Formatter.response(of('timestamp'), of('nonce'), request.body);
    if (!Rsa.verify(text, of('signature'), pem('PUBLIC KEY', key.public))) throw new Refused();
    const { ciphertext, nonce, associated_data: aad } = JSON.parse(request.body).resource;
    const told = JSON.parse(Aes.AesGcm.decrypt(ciphertext, key.apiv3, nonce, aad));
    return read(told.out_trade_no, told.amount.total);
  },
  request({ Formatter, Rsa }, key, request) {
    const parts = (text) => [text.slice(0, text.indexOf(' ')), ...text.slice(text.indexOf(' ') + 1).split(',').sort()];
    const given = header(request, 'authorization');
    const of = (name) => given.match(new RegExp(`${name}="([^"]*)"`))[1];
    const [at, nonce] = [of('timestamp'), of('nonce_str')];
    const text = Formatter.request(request.method, request.path, at, nonce, request.body);
    const sign = Rsa.sign(text, pem('PRIVATE KEY', key.private));
    // The header's parts have no order.
    const wanted = parts(Formatter.authorization(key.mchid, nonce, sign, at, key.serial));
    if (parts(given).join() !== wanted.join()) throw new Refused();
    const body = JSON.parse(request.body || '{}');
    return read(body.out_trade_no ?? request.path.split('?')[0].split('/').pop(), body.amount?.total);
  },
};

const stripe = {
  package: 'stripe',
  client: (Stripe, key) => new (Stripe.default ?? Stripe)(key.api),
  sign(Stripe, key, { at, body }) {
    const made = { payload: body, secret: key.secret, timestamp: at };
    return posted(body, { 'Stripe-Signature': this.client(Stripe, key).webhooks.generateTestHeaderString(made) });
  },
  callback(Stripe, key, request) {
    const client = this.client(Stripe, key);
    const kind = (Stripe.default ?? Stripe).errors.StripeSignatureVerificationError;
    const event = believing(kind, () =>
      client.webhooks.constructEvent(Buffer.from(request.body), header(request, 'Stripe-Signature'), key.secret),
    );
    return read(event.data.object.client_reference_id, event.data.object.amount_total);
  },
};

const standardWebhooks = {
  package: 'standardwebhooks',
  sign({ Webhook }, key, { at, id, body }) {
    const sign = new Webhook(key.secret).sign(id, new Date(at * 1000), body);
    return posted(body, { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': sign });
  },
  callback({ Webhook, WebhookVerificationError }, key, request) {
    const webhook = new Webhook(key.secret);
    const told = believing(WebhookVerificationError, () =>
      webhook.verify(Buffer.from(request.body), Object.fromEntries(request.headers)),
    );
    return read(told.data.order_no, told.data.amount_minor);
  },
};

const coinbase = {
  package: 'coinbase-commerce-node',
  sign: ({ Webhook }, key, { body }) =>
    posted(body, { 'X-CC-Webhook-Signature': Webhook.computeSignature(body, key.secret) }),
  callback({ Webhook }, key, request) {
    const SignatureVerificationError = require('coinbase-commerce-node/lib/Errors/SignatureVerificationError');
    const event = believing(SignatureVerificationError, () =>
      Webhook.verifyEventBody(request.body, header(request, 'X-CC-Webhook-Signature'), key.secret),
    );
    return read(event.data.metadata.order_no, event.data.payments[0].value.local.amount);
  },
};

const SDKS = { alipay, wechat_v3: wechat, stripe, standard_webhooks: standardWebhooks, coinbase_commerce: coinbase };

function answer({ sdk: name, what, key, given }) {
  const sdk = SDKS[name];
  let loaded;
  try {
    loaded = require(sdk.package);
  } catch (error) {
    return { missing: `${sdk.package}: ${error.message}` };
  }
  try {
    return { done: sdk[what](loaded, key, given) };
  } catch (error) {
    return error instanceof Refused ? { refused: true } : { broken: error.stack ?? `${error}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
}
