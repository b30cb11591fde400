//! The program as people start it: its exit codes, its words, its memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const OPERATOR: &str = env!("CARGO_BIN_EXE_pavilion-operator");
const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

/// A host with manifests and programs that only sleep.
struct Home {
    folder: tempfile::TempDir,
    port: u16,
}

impl Home {
    fn new() -> Self {
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
            port: TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port(),
        };
        fs::create_dir(home.join("manifests")).unwrap();
        fs::create_dir(home.join("bin")).unwrap();
        for entry in fs::read_dir(QUICKSTART).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(
                    &path,
                    home.join("manifests").join(path.file_name().unwrap()),
                )
                .unwrap();
            }
        }
        for name in ["router", "signer", "auditor", "verifier"] {
            let file = home.join("bin").join(format!("pavilion-{name}"));
            fs::write(&file, "#!/bin/sh\nexec sleep 600\n").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        home
    }

    fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(OPERATOR);
        command
            .arg("standalone")
            .args(["--manifests".as_ref(), self.join("manifests").as_os_str()])
            .args(["--state".as_ref(), self.join("state").as_os_str()])
            .args(["--bin-dir".as_ref(), self.join("bin").as_os_str()])
            // Nothing here loads it.
            .args(["--pkcs11-module", "/bin/sh"])
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--drain", "1s"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn ended(&self) -> (i32, String) {
        said(&self.command().output().unwrap())
    }

    fn start(&self) -> Running {
        Running {
            process: self.command().spawn().unwrap(),
        }
    }

    /// The document once it satisfies `holds`.
    fn status(&self, file: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let path = self.join("state/status").join(file);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let text = fs::read(&path).unwrap_or_default();
            match serde_json::from_slice::<Value>(&text) {
                Ok(document) if holds(&document) => return document,
                other => assert!(Instant::now() < deadline, "{file}: {other:?}"),
            }
            sleep(Duration::from_millis(10));
        }
    }

    fn break_a_policy(&self) {
        self.edit_policies("trust: [demo-issuers]", "trust: [nobody]");
    }

    fn retitle_a_policy(&self) {
        self.edit_policies("title: Is over 18", "title: Is an adult");
    }

    fn edit_policies(&self, from: &str, to: &str) {
        let file = self.join("manifests/policies.yaml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs::write(file, text.replace(from, to)).unwrap();
    }
}

struct Running {
    process: Child,
}

impl Running {
    /// Stops it as a service manager does; its exit code and what it said.
    fn stop(mut self) -> (i32, String) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::TERM).unwrap();
        let mut text = String::new();
        self.process
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        (self.process.wait().unwrap().code().unwrap(), text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), text)
}

fn condition<'a>(document: &'a Value, type_: &str) -> &'a Value {
    let conditions = document["status"]["conditions"].as_array().unwrap();
    conditions
        .iter()
        .find(|condition| condition["type"] == type_)
        .unwrap()
}

fn accepted(document: &Value) -> bool {
    condition(document, "Accepted")["status"] == "True"
}

#[test]
fn definitions_are_printed_for_kubectl() {
    let output = Command::new(OPERATOR).arg("crds").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let names: Vec<&str> = documents
        .iter()
        .map(|document| document["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        pavilion_crds::Kind::ALL.map(|kind| format!("{}.pavilion.dev", kind.plural()))
    );
}

#[test]
fn refused_manifests_are_named_and_end_an_operator_that_has_nothing_to_serve() {
    let home = Home::new();
    home.break_a_policy();
    let (code, text) = home.ended();
    assert_eq!(code, 78, "{text}");
    assert!(text.contains("policies.yaml:14"), "{text}");
    assert!(
        text.contains("there is no TrustAnchor nobody in pavilion-acme [ReferenceDangling]"),
        "{text}"
    );
    let document = home.status("policy/acme.over18.json", |_| true);
    assert_eq!(
        condition(&document, "Accepted")["reason"],
        "ReferenceDangling"
    );
}

#[test]
fn refused_manifests_change_nothing_that_serves_also_after_a_restart() {
    let home = Home::new();
    let running = home.start();
    home.status("tenant/acme.json", accepted);
    home.break_a_policy();
    let document = home.status("policy/acme.over18.json", |document| !accepted(document));
    assert_eq!(document["metadata"]["generation"], 2);
    assert_eq!(document["status"]["revision"]["number"], 1);
    let (code, text) = running.stop();
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("what was accepted before keeps serving"),
        "{text}"
    );
    let again = home.start();
    home.status("operator/operator.json", |document| {
        document["metadata"]["generation"] == 1 && !accepted(document)
    });
    let children = home.join("state/operator/children.json");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fs::read_to_string(&children).unwrap().contains("signer") {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(10));
    }
    let (code, text) = again.stop();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("accepted last is served instead"), "{text}");
}

#[test]
fn a_removed_object_loses_its_status() {
    let home = Home::new();
    let running = home.start();
    home.status("relyingparty/acme.shop.json", accepted);
    fs::remove_file(home.join("manifests/relying-party.yaml")).unwrap();
    home.status("operator/operator.json", |document| {
        document["status"]["manifests"]["objects"] == 4
    });
    assert!(
        !home
            .join("state/status/relyingparty/acme.shop.json")
            .exists()
    );
    assert_eq!(running.stop().0, 0);
    assert!(!home.join("state/operator/health.sock").exists());
}

#[test]
fn what_is_in_the_way_of_a_start_has_an_exit_code_and_a_word() {
    let home = Home::new();
    let _taken = TcpListener::bind(("127.0.0.1", home.port)).unwrap();
    let (code, text) = home.ended();
    assert_eq!(code, 69);
    assert!(text.contains("port_taken"), "{text}");

    let home = Home::new();
    fs::remove_file(home.join("bin/pavilion-auditor")).unwrap();
    let (code, text) = home.ended();
    assert_eq!(code, 69);
    assert!(text.contains("program_missing"), "{text}");

    let home = Home::new();
    let running = home.start();
    home.status("operator/operator.json", |_| true);
    let (code, text) = home.ended();
    assert_eq!(code, 69);
    assert!(text.contains("state_locked"), "{text}");
    assert_eq!(running.stop().0, 0);

    let home = Home::new();
    fs::create_dir(home.join("state")).unwrap();
    fs::set_permissions(home.join("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let (code, text) = home.ended();
    assert_eq!(code, 73);
    assert!(text.contains("state_not_private"), "{text}");
    fs::set_permissions(home.join("state"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(home.join("state/VERSION"), "9").unwrap();
    assert_eq!(home.ended().0, 65);

    let home = Home::new();
    let running = home.start();
    home.status("operator/operator.json", |_| true);
    running.stop();
    fs::write(home.join("state/operator/records.json"), "{").unwrap();
    let (code, text) = home.ended();
    assert_eq!(code, 65);
    assert!(text.contains("records.json"), "{text}");
}

#[test]
fn a_change_that_cannot_be_written_is_not_called_served_and_takes_effect_later() {
    let home = Home::new();
    let running = home.start();
    home.status("tenant/acme.json", accepted);
    // As a full disk: the file cannot be replaced (a directory of that name stands there, since what
    // is allowed to root cannot be taken from it by a mode).
    let records = home.join("state/operator/records.json");
    fs::remove_file(&records).unwrap();
    fs::create_dir_all(records.join("in the way")).unwrap();
    home.retitle_a_policy();
    let document = home.status("policy/acme.over18.json", |document| {
        condition(document, "Ready")["reason"] == "ChangeNotWritten"
    });
    assert_eq!(document["metadata"]["generation"], 2);
    assert_eq!(document["status"]["revision"]["number"], 1);
    let bundle = home.join("state/tenants/acme/bundle.json");
    assert!(!fs::read_to_string(&bundle).unwrap().contains("Is an adult"));
    fs::remove_dir_all(&records).unwrap();
    home.status("policy/acme.over18.json", |document| {
        document["status"]["revision"]["number"] == 2
            && condition(document, "Ready")["reason"] != "ChangeNotWritten"
    });
    assert!(fs::read_to_string(&bundle).unwrap().contains("Is an adult"));
    assert_eq!(running.stop().0, 0);
}

#[test]
fn what_one_tenant_could_not_be_given_is_tried_again() {
    let home = Home::new();
    let running = home.start();
    home.status("tenant/acme.json", accepted);
    let bundle = home.join("state/tenants/acme/bundle.json");
    fs::remove_file(&bundle).unwrap();
    fs::create_dir_all(bundle.join("in the way")).unwrap();
    home.retitle_a_policy();
    home.status("tenant/acme.json", |document| {
        condition(document, "Programmed")["reason"] == "ChangeNotWritten"
    });
    fs::remove_dir_all(&bundle).unwrap();
    home.status("tenant/acme.json", |document| {
        condition(document, "Programmed")["reason"] != "ChangeNotWritten"
    });
    assert!(fs::read_to_string(&bundle).unwrap().contains("Is an adult"));
    assert_eq!(running.stop().0, 0);
}

#[test]
fn an_operator_that_stopped_leaves_no_status_that_claims_to_know() {
    let home = Home::new();
    let running = home.start();
    home.status("tenant/acme.json", accepted);
    assert_eq!(running.stop().0, 0);
    for file in [
        "tenant/acme.json",
        "operator/operator.json",
        "policy/acme.over18.json",
    ] {
        let document = home.status(file, |_| true);
        let ready = condition(&document, "Ready");
        assert_eq!(ready["status"], "Unknown", "{file}");
        assert_eq!(ready["reason"], "OperatorStopped", "{file}");
        assert!(accepted(&document), "{file}");
    }
}

#[test]
fn an_emptied_folder_takes_nobody_off_the_air_unless_it_is_meant() {
    let home = Home::new();
    let running = home.start();
    home.status("tenant/acme.json", accepted);
    let away = home.join("away");
    fs::rename(home.join("manifests"), &away).unwrap();
    fs::create_dir(home.join("manifests")).unwrap();
    let refused = |document: &Value| {
        let refusals = &document["status"]["manifests"]["refusals"];
        refusals[0]["code"] == "SetEmpty"
    };
    home.status("operator/operator.json", refused);
    assert!(home.join("state/status/tenant/acme.json").exists());
    assert_eq!(running.stop().0, 0);
    // Nor at the next start, which serves what it knows.
    let again = home.start();
    home.status("operator/operator.json", |document| {
        refused(document) && condition(document, "Ready")["status"] == "False"
    });
    let (_, text) = again.stop();
    assert!(text.contains("accepted last is served instead"), "{text}");
    let meant = Running {
        process: home.command().arg("--allow-empty").spawn().unwrap(),
    };
    home.status("operator/operator.json", accepted);
    assert!(!home.join("state/status/tenant/acme.json").exists());
    assert_eq!(meant.stop().0, 0);
}

#[test]
fn a_folder_that_cannot_be_read_at_the_start_is_no_empty_one() {
    let home = Home::new();
    let running = home.start();
    home.status("tenant/acme.json", accepted);
    running.stop();
    fs::rename(home.join("manifests"), home.join("away")).unwrap();
    let again = home.start();
    let document = home.status("operator/operator.json", |document| {
        condition(document, "Ready")["status"] == "False"
    });
    assert_eq!(
        document["status"]["manifests"]["refusals"][0]["code"],
        "FileUnreadable"
    );
    let (code, text) = again.stop();
    assert_eq!(code, 0);
    assert!(text.contains("accepted last is served instead"), "{text}");
}

#[test]
fn a_pipe_among_the_manifests_makes_nobody_deaf() {
    let home = Home::new();
    let running = home.start();
    home.status("tenant/acme.json", accepted);
    let pipe = home.join("manifests/x.yaml");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
    home.status("operator/operator.json", |document| !accepted(document));
    assert_eq!(running.stop().0, 0);
}

#[test]
fn a_listen_address_without_a_port_is_refused() {
    let home = Home::new();
    let output = home
        .command()
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    let (code, _) = said(&output);
    assert!([2, 78].contains(&code), "{code}");
    let own = Home {
        port: 0,
        ..Home::new()
    };
    assert_eq!(own.ended().0, 78);
}

#[test]
fn people_get_readable_lines() {
    let home = Home::new();
    let running = Running {
        process: home
            .command()
            .args(["--log-format", "text"])
            .spawn()
            .unwrap(),
    };
    home.status("tenant/acme.json", accepted);
    let (code, text) = running.stop();
    assert_eq!(code, 0);
    assert!(
        text.lines()
            .all(|line| line.starts_with('[') || line.starts_with("  ")),
        "{text}"
    );
    assert!(
        text.contains("the manifests are accepted objects=5 tenants=1"),
        "{text}"
    );
    assert!(text.contains("everything is stopped"), "{text}");
    assert!(Path::new(&home.join("state/tenants/acme/tls/ca.pem")).exists());
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let home = Home::new();
    let (_reader, mut writer) = std::io::pipe().unwrap();
    // As much as a pipe holds (pipe(7)): the first line does not fit any more.
    writer.write_all(&vec![b'\n'; 64 * 1024]).unwrap();
    let mut running = Running {
        process: home.command().stderr(writer).spawn().unwrap(),
    };
    home.status("tenant/acme.json", accepted);
    kill_process(Pid::from_child(&running.process), Signal::TERM).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = running.process.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it hangs at its end");
        sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(0));
}
