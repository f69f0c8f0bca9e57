//! RSA keys of merchants and gateways, and certificates of UnionPay's form.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use data_encoding::BASE64;

/// A pair of RSA keys: the merchant's or the gateway's.
pub struct Pair(KeyPair);

impl Pair {
    pub fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// PKCS#8, as bare base64.
    pub fn private(&self) -> String {
        BASE64.encode(AsDer::<Pkcs8V1Der<'_>>::as_der(&self.0).unwrap().as_ref())
    }

    /// SubjectPublicKeyInfo, as bare base64.
    pub fn public(&self) -> String {
        BASE64.encode(AsDer::<PublicKeyX509Der<'_>>::as_der(self.0.public_key()).unwrap().as_ref())
    }

    pub fn pem(&self) -> String {
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", self.private())
    }

    pub fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        BASE64.encode(&signature)
    }

    pub fn signed(&self, text: &str, signature: &str) -> bool {
        let key = AsDer::<PublicKeyX509Der<'_>>::as_der(self.0.public_key()).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_ref());
        BASE64.decode(signature.as_bytes()).is_ok_and(|signature| key.verify(text.as_bytes(), &signature).is_ok())
    }
}

/// A certificate of UnionPay's form for that key, and the two above it.
pub fn chain(platform: &Pair) -> [String; 3] {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair as Key};
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params, Key::from_pem_and_sign_algo(&Pair::new().pem(), &rcgen::PKCS_RSA_SHA256).unwrap())
    };
    let (root, root_key) = authority("Test CFCA Root");
    let (middle, middle_key) = authority("Test CFCA OCA1");
    let root_cert = root.self_signed(&root_key).unwrap();
    let root_issuer = Issuer::from_params(&root, &root_key);
    let middle_cert = middle.signed_by(&middle_key, &root_issuer).unwrap();
    let middle_issuer = Issuer::from_params(&middle, &middle_key);
    let mut leaf = CertificateParams::new(Vec::new()).unwrap();
    leaf.distinguished_name.push(DnType::CommonName, "041@8310000000083040@中国银联股份有限公司@00016493");
    let key = Key::from_pem_and_sign_algo(&platform.pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let leaf = leaf.signed_by(&key, &middle_issuer).unwrap();
    [leaf.pem(), middle_cert.pem(), root_cert.pem()]
}

/// A certificate that a key signs for itself, with that serial number.
pub fn serial_cert(of: &Pair, serial: u64) -> String {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.serial_number = Some(serial.into());
    let key = rcgen::KeyPair::from_pem_and_sign_algo(&of.pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    params.self_signed(&key).unwrap().pem()
}

/// A certificate of that name for a key, and the authority's above it.
pub fn authority_and_leaf(of: &Pair, name: &str) -> [String; 2] {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair as Key};
    let rsa = |pair: &Pair| Key::from_pem_and_sign_algo(&pair.pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.distinguished_name.push(DnType::CommonName, "Test Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = rsa(&Pair::new());
    let mut leaf = CertificateParams::new(Vec::new()).unwrap();
    leaf.distinguished_name.push(DnType::CommonName, name);
    let leaf = leaf.signed_by(&rsa(of), &Issuer::from_params(&root, &root_key)).unwrap();
    [leaf.pem(), root.self_signed(&root_key).unwrap().pem()]
}
