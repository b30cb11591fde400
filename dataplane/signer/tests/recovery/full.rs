//! A full token costs new keys, never signatures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pavilion_signer::engine::Purpose;

use crate::room::{Room, alone, answer, current};

/// A small file system of its own, which takes root to mount.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        // As root, or as someone whom sudo lets be root without being asked.
        let mounted = [&["mount"][..], &["sudo", "-n", "mount"]].iter().any(|by| {
            let mut mount = Command::new(by[0]);
            mount.args(&by[1..]).args(["-t", "tmpfs", "-o"]);
            let mount = mount
                .args(["size=256k,mode=1777", "pavilion-test"])
                .arg(path);
            mount.output().is_ok_and(|output| output.status.success())
        });
        // Not a quiet skip: what this shows is shown by no other test.
        assert!(
            mounted || std::env::var_os("PAVILION_TESTS_WITHOUT_ROOT").is_some(),
            "this test mounts a small file system, which takes root; set \
             PAVILION_TESTS_WITHOUT_ROOT=1 to go without it"
        );
        mounted.then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        for by in [&["umount"][..], &["sudo", "-n", "umount"]] {
            let mut umount = Command::new(by[0]);
            let _ = umount.args(&by[1..]).arg("-l").arg(&self.0).output();
        }
    }
}

#[test]
fn a_full_token_refuses_a_rotation_as_such_and_goes_on_signing() {
    alone(async |room: Room| {
        let Some(_disk) = SmallDisk::mount(room.tokens()) else {
            eprintln!("left out, as PAVILION_TESTS_WITHOUT_ROOT asks");
            return;
        };
        let engine = room.start();
        let keys = engine.public_keys();
        let ballast = room.tokens().join("ballast");
        let _ = fs::write(&ballast, vec![0; 1_024 * 1_024]);
        room.set_time(10);
        assert_eq!(
            engine.rotate(Purpose::Result).await.unwrap_err().code(),
            "token_full"
        );
        assert_eq!(engine.public_keys(), keys);
        let key = current(&engine, Purpose::Result).key_id;
        engine.sign(&key, answer(&key, 1)).await.unwrap();
        fs::remove_file(&ballast).unwrap();
        let new = engine.rotate(Purpose::Result).await.unwrap();
        engine
            .sign(&new.key_id, answer(&new.key_id, 2))
            .await
            .unwrap();
        drop(engine);
        assert_eq!(room.start().public_keys().len(), 3);
    });
}
