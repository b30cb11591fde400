//! The unavoidable parts of a verification, each measured alone on the same machine. What computes is
//! measured on both cores at the same time: that is how busy they are at saturation, too.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, UnparsedPublicKey};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use pavilion_jose::{Algorithm, SigningKey};

use crate::usage::processor;

/// Where Debian and Ubuntu put the module of `SoftHSM`.
const MODULES: [&str; 2] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
];

/// Processor time of one verification's unavoidable parts.
pub struct Floor {
    /// One ES256 verification with a key that is known: the issuer's.
    pub verify_known: Duration,
    /// One with a key that is read for it: the holder's.
    pub verify_fresh: Duration,
    /// One `C_Sign` through the token.
    pub sign: Duration,
    /// One write and `fdatasync` of a kilobyte.
    pub sync: Duration,
    /// The processor time in it.
    pub sync_processor: Duration,
}

impl Floor {
    /// Measures each part for about a second.
    pub fn measure() -> anyhow::Result<Self> {
        let (verify_known, verify_fresh) = verify()?;
        let (sync, sync_processor) = sync()?;
        Ok(Self {
            verify_known,
            verify_fresh,
            sign: sign()?,
            sync,
            sync_processor,
        })
    }

    /// Processor time of the parts of one verification, where so many share an fsync.
    pub fn processor(&self, group: f64) -> Duration {
        let share = self.sync_processor.div_f64(group.max(1.0));
        self.verify_known + self.verify_fresh + self.sign + share
    }
}

fn each(total: Duration, count: u32) -> Duration {
    total / count.max(1)
}

fn verify() -> anyhow::Result<(Duration, Duration)> {
    let key = SigningKey::generate(Algorithm::Es256)?;
    let message = [7_u8; 900];
    let signature = key.sign(&message)?;
    let point = point(&key)?;
    let known = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)?;
    let fresh = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
    let known = time(|| known.verify_sig(black_box(&message), black_box(&signature)))?;
    let fresh = time(|| fresh.verify(black_box(&message), black_box(&signature)))?;
    Ok((known, fresh))
}

/// Threads that compute at the same time.
const CORES: u32 = 2;

/// How long one call takes, of as many as fit into a second on each core.
fn time<E>(call: impl Fn() -> Result<(), E> + Sync) -> anyhow::Result<Duration> {
    let on_one_core = || -> anyhow::Result<Duration> {
        let (since, mut count) = (Instant::now(), 0_u32);
        while since.elapsed() < Duration::from_secs(1) {
            for _ in 0..100 {
                call().ok().context("the signature is ours")?;
            }
            count += 100;
        }
        Ok(each(since.elapsed(), count))
    };
    let total = std::thread::scope(|scope| {
        let cores: Vec<_> = (0..CORES).map(|_| scope.spawn(on_one_core)).collect();
        cores.into_iter().try_fold(Duration::ZERO, |total, core| {
            let one = core.join();
            Ok::<_, anyhow::Error>(total + one.map_err(|_| anyhow::anyhow!("a thread panicked"))??)
        })
    })?;
    Ok(total / CORES)
}

/// The uncompressed point of a P-256 key.
fn point(key: &SigningKey) -> anyhow::Result<Vec<u8>> {
    let jwk = serde_json::to_value(key.public())?;
    let mut point = vec![4];
    for name in ["x", "y"] {
        point.extend(pavilion_jose::from_base64url(
            jwk[name].as_str().context("a coordinate")?,
        )?);
    }
    Ok(point)
}

/// Wall time and processor time.
fn sync() -> anyhow::Result<(Duration, Duration)> {
    let folder = tempfile::TempDir::new_in("target")?;
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("log"))?;
    let (since, mut count) = (Instant::now(), 0_u32);
    let before = processor(std::process::id())?;
    while since.elapsed() < Duration::from_secs(3) {
        file.write_all(&[0; 1024])?;
        file.sync_data()?;
        count += 1;
    }
    let spent = processor(std::process::id())?.saturating_sub(before);
    Ok((each(since.elapsed(), count), each(spent, count)))
}

/// Runs raw `C_Sign` in a process of its own, because a process has one PKCS#11 configuration.
fn sign() -> anyhow::Result<Duration> {
    let module = MODULES
        .iter()
        .find(|path| std::path::Path::new(path).exists())
        .context("softhsm2 is not installed")?;
    let folder = tempfile::TempDir::new()?;
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens)?;
    let configuration = folder.path().join("softhsm2.conf");
    std::fs::write(
        &configuration,
        format!(
            "directories.tokendir = {}\nobjectstore.backend = file\n",
            tokens.display()
        ),
    )?;
    let output = Command::new(std::env::current_exe()?)
        .args(["raw-sign", module, &CORES.to_string()])
        .env("SOFTHSM2_CONF", configuration)
        .output()?;
    let nanoseconds = String::from_utf8(output.stdout)?
        .trim()
        .parse()
        .context("raw-sign prints nanoseconds")?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Signs for two seconds on each thread and prints the nanoseconds of processor time in one signature:
/// the token lets its sessions wait for each other, which is no work.
pub fn raw_sign(module: &str, threads: usize) -> anyhow::Result<()> {
    let pkcs11 = Pkcs11::new(module)?;
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let slot = *pkcs11.get_slots_with_token()?.first().context("a slot")?;
    let pin = AuthPin::from("1234-5678".to_owned());
    pkcs11.init_token(slot, &pin, "bench")?;
    let slot = *pkcs11
        .get_slots_with_initialized_token()?
        .first()
        .context("a token")?;
    let management = pkcs11.open_rw_session(slot)?;
    management.login(UserType::So, Some(&pin))?;
    management.init_pin(&pin)?;
    management.logout()?;
    management.login(UserType::User, Some(&pin))?;
    // The OID of P-256, in DER.
    let curve = Attribute::EcParams(vec![
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
    ]);
    let private = [
        Attribute::Token(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    let (_, key) = management.generate_key_pair(
        &Mechanism::EccKeyPairGen,
        &[Attribute::Token(true), curve],
        &private,
    )?;
    let sessions: Vec<Session> = (0..threads)
        .map(|_| pkcs11.open_ro_session(slot))
        .collect::<Result<_, _>>()?;
    let before = processor(std::process::id())?;
    let workers = sessions.into_iter().map(|session| {
        std::thread::spawn(move || -> anyhow::Result<u32> {
            let (since, mut count) = (Instant::now(), 0_u32);
            while since.elapsed() < Duration::from_secs(2) {
                black_box(session.sign(&Mechanism::Ecdsa, key, &[9; 32])?);
                count += 1;
            }
            Ok(count)
        })
    });
    let mut total = 0;
    for worker in workers.collect::<Vec<_>>() {
        total += worker
            .join()
            .map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    }
    let spent = processor(std::process::id())?.saturating_sub(before);
    println!("{}", each(spent, total).as_nanos());
    Ok(())
}
