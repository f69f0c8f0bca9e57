//! A proxy in front of the world: whatever host a CONNECT names, TLS ends here with a certificate for it from an authority
//! of its own, and one application answers. Other hosts than those named are refused.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub struct Tunnel {
    /// Its address.
    pub url: String,
    /// The authority to believe, PEM.
    pub ca: String,
    /// What was asked for, `host:port`.
    pub connected: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    pub async fn start(hosts: &[&str], app: axum::Router) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_cert = ca.self_signed(&ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let issuer = Issuer::from_params(&ca, &ca_key);
        let cert = CertificateParams::new(names.clone()).unwrap().signed_by(&key, &issuer).unwrap();
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let tls =
            ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], der).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connected = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&connected);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, acceptor.clone(), app.clone(), names.clone(), Arc::clone(&seen)));
            }
        });
        Self { url, ca: ca_cert.pem(), connected }
    }

    /// The daemon's settings that lead through it; `ca` is where its authority is written.
    pub fn settings(&self, ca: &std::path::Path) -> String {
        std::fs::create_dir_all(ca.parent().unwrap()).unwrap();
        std::fs::write(ca, &self.ca).unwrap();
        format!("[outbound]\nproxy = \"{}\"\nca_file = \"{}\"\n", self.url, ca.display())
    }
}

async fn pass(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    app: axum::Router,
    hosts: Vec<String>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(target.clone());
    if !hosts.iter().any(|host| target == format!("{host}:443")) {
        let _gone = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        return;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let io = hyper_util::rt::TokioIo::new(stream);
    let service = hyper_util::service::TowerToHyperService::new(app);
    let _gone = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}
