//! A test in a process of its own, with a token folder of its own.
//!
//! `SoftHSM` reads `SOFTHSM2_CONF` once per process and a process has one PKCS#11 context, so each
//! test that uses the engine runs this test binary again, for itself alone, with the variable set.

use std::any::type_name;
use std::cell::Cell;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use jiff::Timestamp;
use pavilion_jose::{base64url, from_base64url};
use pavilion_signer::engine::{
    Clock, Engine, EngineMetrics, PublicKey, Purpose, Settings, StartError, softhsm,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

const FOLDER: &str = "PAVILION_SIGNER_TEST_FOLDER";
pub const ORIGIN: &str = "log.example/acme";
pub const NOON: i64 = 1_767_268_800;

/// Where one test lives.
pub struct Room {
    pub folder: PathBuf,
    pub settings: Settings,
    time: Arc<AtomicI64>,
    registry: Cell<Registry>,
}

/// Runs `test` in a process of its own.
pub fn alone<F: AsyncFnOnce(Room)>(test: F) {
    if let Some(folder) = env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test(Room::new(folder.into())));
        return;
    }
    // The type of a closure is named after the function it is written in, which the test binary
    // knows without the name of the crate.
    let (_, function) = type_name::<F>().split_once("::").unwrap();
    let name = function.split("::{{").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let conf = softhsm::conf_path(&folder.path().join("tokens"));
    let output = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .env(softhsm::VARIABLE, conf)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}\n{said}\n{complained}",
        output.status
    );
}

/// Where Debian and Ubuntu, Fedora, and a build by hand put the module.
pub fn module() -> PathBuf {
    let known = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    let found = known
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.exists());
    found.expect("these tests need SoftHSM: apt-get install softhsm2")
}

impl Room {
    /// The room in `folder`; nothing is in it yet.
    pub fn new(folder: PathBuf) -> Self {
        let settings = Settings {
            module: module(),
            token_label: String::from("acme").try_into().unwrap(),
            pin_file: folder.join("pin"),
            pin_file_given: false,
            token_directory: Some(folder.join("tokens")),
            keys_file: folder.join("keys.json"),
            log_origin: ORIGIN.to_owned(),
            sessions: 2,
            queue_limit: 1_024,
            deadline: Duration::from_secs(20),
            overlap: Duration::from_hours(1),
            rotate_every: None,
            avoid_mechanisms: Vec::new(),
        };
        let time = Arc::new(AtomicI64::new(NOON));
        Self {
            folder,
            settings,
            time,
            registry: Cell::default(),
        }
    }

    /// Starts the engine on this room's token.
    pub fn start(&self) -> Engine {
        self.try_start().unwrap()
    }

    pub fn try_start(&self) -> Result<Engine, StartError> {
        let time = Arc::clone(&self.time);
        let clock =
            Clock::from_fn(move || Timestamp::from_second(time.load(Ordering::SeqCst)).unwrap());
        let mut registry = Registry::default();
        let metrics = EngineMetrics::register(&mut registry);
        self.registry.set(registry);
        Engine::start(self.settings.clone(), clock, metrics)
    }

    /// Sets the time to `seconds` after noon.
    pub fn set_time(&self, seconds: i64) {
        self.time.store(NOON + seconds, Ordering::SeqCst);
    }

    /// The value of a metric, as it is scraped.
    pub fn metric(&self, series: &str) -> i64 {
        let registry = self.registry.take();
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        self.registry.set(registry);
        let line = text.lines().find(|line| {
            line.strip_prefix(series)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        line.unwrap_or_else(|| panic!("{series} in\n{text}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    pub fn tokens(&self) -> &Path {
        self.settings.token_directory.as_deref().unwrap()
    }

    /// Another hand on the same module, as an administrator's tool would have, in this process.
    pub fn second_hand(&self) -> Pkcs11 {
        let context = Pkcs11::new(&self.settings.module).unwrap();
        let _ = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        context
    }

    /// A session of that second hand, logged in. The engine may be restarting the module under it at
    /// that moment; then it is tried again.
    pub fn second_session(&self) -> Session {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match self.try_second_session() {
                Ok(session) => return session,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            thread::yield_now();
        }
    }

    fn try_second_session(&self) -> Result<Session, cryptoki::error::Error> {
        let context = self.second_hand();
        for slot in context.get_slots_with_initialized_token()? {
            if context.get_token_info(slot)?.label() == "acme" {
                let session = context.open_rw_session_no_drop(slot)?;
                // The engine, if it runs, has logged this process in.
                let _ = session.login(UserType::User, Some(&AuthPin::new(self.user_pin().into())));
                return Ok(session);
            }
        }
        Err(cryptoki::error::Error::NotSupported)
    }

    pub fn user_pin(&self) -> String {
        std::fs::read_to_string(&self.settings.pin_file)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    }
}

/// The current key of a purpose.
pub fn current(engine: &Engine, purpose: Purpose) -> PublicKey {
    let keys = engine.public_keys();
    keys.into_iter()
        .find(|key| key.current && key.purpose == purpose)
        .unwrap()
}

/// A signing input for an answer by the key `kid`.
pub fn answer(kid: &str, number: usize) -> Vec<u8> {
    let header = format!(r#"{{"alg":"ES256","typ":"pvr+jwt","kid":"{kid}"}}"#);
    let payload = format!(r#"{{"iss":"https://verify.acme.example","jti":"{number}"}}"#);
    format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(payload.as_bytes())
    )
    .into_bytes()
}

/// A checkpoint of this tenant's log.
pub fn checkpoint(size: u64) -> Vec<u8> {
    format!("{ORIGIN}\n{size}\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n").into_bytes()
}

/// True when the signature verifies by the published key, with an implementation that is not the token's.
pub fn verifies(jwk: &serde_json::Value, message: &[u8], signature: &[u8]) -> bool {
    let member = |name: &str| from_base64url(jwk[name].as_str().unwrap()).unwrap();
    match jwk["kty"].as_str().unwrap() {
        "EC" => {
            let point = [vec![0x04], member("x"), member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok()
        }
        _ => UnparsedPublicKey::new(&ED25519, member("x"))
            .verify(message, signature)
            .is_ok(),
    }
}
