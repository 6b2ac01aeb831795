//! Who we are to every peer: one certificate, and one DTLS configuration that is built once.
//!
//! Building a configuration for each peer costs thirty times what the rest of making a peer does, and all peers want the
//! same one. DTLS is version 1.2, which every browser and device speaks; ICE has proved the way back before the first
//! record, so no cookie is asked for.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
};
use str0m::crypto::{CryptoError, CryptoProvider};

use crate::spec::{Candidate, Fingerprint};

const DATAGRAM_BYTES: usize = 1_150;

static CONFIG: LazyLock<Option<Arc<dimpl::Config>>> = LazyLock::new(|| {
    let config = dimpl::Config::builder().use_server_cookie(false).mtu(DATAGRAM_BYTES).build();
    config.ok().map(Arc::new)
});

static PROVIDER: CachedDtls = CachedDtls;

#[derive(Debug)]
struct CachedDtls;

impl DtlsProvider for CachedDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        str0m::crypto::from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let config = CONFIG.clone().ok_or_else(|| CryptoError::Other("no DTLS configuration could be built".into()))?;
        Ok(Box::new(Instance(dimpl::Dtls::new_12(config, cert.clone(), now))))
    }
}

struct Instance(dimpl::Dtls);

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Instance")
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buf)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// What all peers of one process share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(crate) certificate: DtlsCert,
    pub(crate) crypto: Arc<CryptoProvider>,
    fingerprint: Fingerprint,
    candidates: Arc<[Candidate]>,
}

impl Identity {
    /// Make a certificate; `candidates` are the addresses at which datagrams reach us. None if the machine has no
    /// randomness to give.
    pub fn generate(candidates: &[Candidate]) -> Option<Self> {
        let crypto = CryptoProvider { dtls_provider: &PROVIDER, ..str0m::crypto::from_feature_flags() };
        let certificate = crypto.dtls_provider.generate_certificate()?;
        let digest = crypto.sha256_provider.sha256(&certificate.certificate).to_vec();
        let fingerprint = Fingerprint { algorithm: "sha-256".into(), digest };
        Some(Self { certificate, crypto: Arc::new(crypto), fingerprint, candidates: candidates.into() })
    }

    /// The same certificate at other addresses.
    #[must_use]
    pub fn with_candidates(&self, candidates: &[Candidate]) -> Self {
        Self { candidates: candidates.into(), ..self.clone() }
    }

    /// The same certificate behind other cryptography, for tests that corrupt what is about to be protected.
    #[cfg(test)]
    pub(crate) fn with_crypto(&self, crypto: CryptoProvider) -> Self {
        Self { crypto: Arc::new(crypto), ..self.clone() }
    }

    /// Of our certificate.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Where we are.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }
}
