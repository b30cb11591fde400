//! A disk that is really full: a small tmpfs, which only root can mount.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use pavilion_catalogue::log;

use crate::directory::audit;
use crate::world::{finish, open_signing};

/// A mounted file system of one MiB; gone when dropped.
struct SmallDisk {
    path: PathBuf,
    /// Removed after the disk was unmounted.
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        fs::create_dir(&path).unwrap();
        // As root, or as someone whom sudo lets be root without being asked.
        let mounted = [&["mount"][..], &["sudo", "-n", "mount"]].iter().any(|by| {
            let mut mount = Command::new(by[0]);
            mount.args(&by[1..]).args(["-t", "tmpfs", "-o"]);
            let mount = mount
                .args(["size=1m,mode=1777", "pavilion-test"])
                .arg(&path);
            mount.output().is_ok_and(|output| output.status.success())
        });
        // Not a quiet skip: what this shows is shown by no other test.
        assert!(
            mounted || std::env::var_os("PAVILION_TESTS_WITHOUT_ROOT").is_some(),
            "this test mounts a small file system, which takes root; set \
             PAVILION_TESTS_WITHOUT_ROOT=1 to go without it"
        );
        mounted.then_some(Self {
            path,
            _folder: folder,
        })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A mount that stays would keep the test's folder; there is nobody to tell.
        for by in [&["umount"][..], &["sudo", "-n", "umount"]] {
            let mut umount = Command::new(by[0]);
            let _ = umount.args(&by[1..]).arg("-l").arg(&self.path).output();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_keeps_what_it_acknowledged_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("left out, as PAVILION_TESTS_WITHOUT_ROOT asks");
        return;
    };
    let ballast = disk.path.join("ballast");
    fs::write(&ballast, vec![0; 400 * 1024]).unwrap();
    let directory = disk.path.join("log");
    let log = open_signing(&directory);
    let entry = |number: u32| Bytes::from(format!("{number:08}").repeat(64));
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for number in 0.. {
        assert!(number < 10_000, "the disk never fills");
        match log.append(entry(number)).await {
            Ok(appended) => acknowledged.push((appended.index, entry(number))),
            Err(error) => {
                assert_eq!(error.entry().code, log::UNAVAILABLE.code);
                refused += 1;
            }
        }
        // A small write may still find room after a larger one did not, and then all is well for a moment.
        let conditions = log.status().conditions;
        if refused > 0 && (conditions.writer.is_err() || conditions.sealer.is_err()) {
            break;
        }
    }
    // Room again: the log comes back by itself.
    fs::remove_file(&ballast).unwrap();
    let mut waited = 0;
    let next = loop {
        match log.append(entry(900_000)).await {
            Ok(appended) => break appended,
            Err(error) if waited < 600 => {
                assert_eq!(error.entry().code, log::UNAVAILABLE.code);
                waited += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    acknowledged.push((next.index, entry(900_000)));
    finish(log).await;
    let entries = audit(&directory);
    assert_eq!(
        entries.len(),
        acknowledged.len(),
        "what was refused is not there"
    );
    for (index, entry) in acknowledged {
        assert_eq!(entries[usize::try_from(index).unwrap()], entry);
    }
}
