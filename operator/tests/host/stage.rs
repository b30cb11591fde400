//! A state directory, programs that only run, and voices that speak for them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use pavilion_json::Digest;
use pavilion_operator::{
    build::build,
    desired::Desired,
    host::{Host, Ledger, Platform, Program, Programs, StateDir, Surroundings},
    manifests::dereference,
    records::Records,
    talk::LogFormat,
    validate::validate,
};
use pavilion_process::LogLevel;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    sync::Notify,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Waits until something holds; fails loudly when it never does.
pub async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_mins(1), wait)
        .await
        .expect("it never held");
}

/// Where programs run.
pub struct Stage {
    folder: tempfile::TempDir,
    pub state: Arc<StateDir>,
    pub surroundings: Surroundings,
}

impl Stage {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(&folder.path().join("state")).unwrap());
        let surroundings = Surroundings {
            ledger: Arc::new(Ledger::open(Arc::clone(&state)).await),
            changed: Arc::new(Notify::new()),
            format: LogFormat::Json,
        };
        Self {
            folder,
            state,
            surroundings,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A host whose four programs only sleep.
    pub fn host(&self) -> Host {
        let programs = self.path().join("bin");
        fs::create_dir(&programs).unwrap();
        for program in Program::ALL {
            let file = programs.join(program.binary());
            fs::write(&file, "#!/bin/sh\nexec sleep 600\n").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let programs = Programs::find(Some(&programs)).unwrap();
        Host::new(
            Arc::clone(&self.state),
            platform(),
            programs,
            self.surroundings.clone(),
        )
    }

    /// Speaks for a tenant's programs: the verifier serves whatever bundle is there.
    pub fn voices(&self, tenant: &str) -> Vec<Voice> {
        let run = self.state.join(format!("tenants/{tenant}/run"));
        fs::create_dir_all(&run).unwrap();
        let bundle = self.state.join(format!("tenants/{tenant}/bundle.json"));
        vec![
            Voice::answer(&run.join("signer-health.sock"), None),
            Voice::answer(&run.join("auditor-health.sock"), None),
            Voice::answer(&run.join("verifier-health.sock"), Some(bundle)),
        ]
    }

    /// Speaks for the router, which serves whatever routes are there.
    pub fn router_voice(&self) -> Voice {
        fs::create_dir_all(self.state.join("router")).unwrap();
        let routes = self.state.join("router/routes.json");
        Voice::answer(&self.state.join("router/health.sock"), Some(routes))
    }

    pub fn routes(&self) -> Value {
        serde_json::from_slice(&fs::read(self.state.join("router/routes.json")).unwrap()).unwrap()
    }
}

pub fn platform() -> Platform {
    Platform {
        listen: "127.0.0.1:8443".parse().unwrap(),
        allow_tls12: false,
        module: "/usr/lib/softhsm/libsofthsm2.so".into(),
        drain_seconds: 1,
        otlp: None,
        log_level: LogLevel::Info,
    }
}

pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The desired state of the quickstart, with its tenant's manifest changed.
pub fn desired(records: &mut Records, change: impl Fn(String) -> String) -> Desired {
    let quickstart = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/quickstart"
    ));
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(quickstart).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(folder.path().join(path.file_name().unwrap()), change(text)).unwrap();
        }
    }
    let set = dereference(folder.path());
    for object in &set.objects {
        records.see(object);
    }
    let valid = validate(&set, records, now()).unwrap();
    build(&valid, records, 8443)
}

/// Answers on a health socket.
pub struct Voice {
    trouble: Arc<Mutex<Option<String>>>,
    task: JoinHandle<()>,
}

impl Voice {
    /// Ready, and serving the document in that file.
    pub fn answer(socket: &Path, document: Option<PathBuf>) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let trouble: Arc<Mutex<Option<String>>> = Arc::default();
        let said = Arc::clone(&trouble);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let body = status(said.lock().unwrap().clone(), document.as_deref()).to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Self { trouble, task }
    }

    pub fn say_not_ready(&self, reason: &str) {
        *self.trouble.lock().unwrap() = Some(reason.to_owned());
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn status(trouble: Option<String>, document: Option<&Path>) -> Value {
    let served = document.and_then(|file| fs::read(file).ok()).map(|bytes| {
        let version = serde_json::from_slice::<Value>(&bytes).unwrap()["version"].clone();
        json!({"version": version, "digest": Digest::of(&bytes)})
    });
    json!({
        "name": "voice", "version": "0", "commit": "c", "ready": trouble.is_none(),
        "checks": [{"name": "voice", "ok": trouble.is_none(), "reason": trouble.unwrap_or_default()}],
        "served": served, "refused": null, "detail": {},
    })
}
