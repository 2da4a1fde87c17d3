use super::disk_dir;
use crate::rt::fs::{self, DirEntry};
use crate::rt::uring::start::run_here;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;

#[test]
fn directories_are_made_listed_renamed_and_removed() {
    let dir = disk_dir();
    run_here(async move {
        let root = dir.path();
        fs::create_dir_all(&root.join("a/b")).await.unwrap();
        fs::create_dir_all(&root.join("a/b")).await.unwrap();
        fs::write_file(&root.join("a/z"), b"12345").await.unwrap();
        std::fs::write(root.join("a").join(std::ffi::OsStr::from_bytes(b"\xff")), b"").unwrap();
        fs::sync_dir(&root.join("a")).await.unwrap();
        let entry = |name: &str, is_dir, len| DirEntry { name: name.to_owned(), is_dir, len };
        assert_eq!(fs::list_dir(&root.join("a")).await.unwrap(), [entry("b", true, 0), entry("z", false, 5)]);
        fs::rename(&root.join("a/z"), &root.join("a/b/y")).await.unwrap();
        fs::remove_file(&root.join("a/b/y")).await.unwrap();
        assert_eq!(fs::remove_file(&root.join("a/b/y")).await.unwrap_err().kind(), ErrorKind::NotFound);
        fs::remove_dir_all(&root.join("a")).await.unwrap();
        assert_eq!(fs::list_dir(root).await.unwrap(), []);
        fs::sync_filesystem(root).await.unwrap();
        assert!(fs::free_space(root).await.unwrap() > 0);
    });
}

#[test]
fn a_small_file_is_replaced_as_a_whole_and_read_within_a_bound() {
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("meta.properties");
        fs::write_file(&path, b"version=0").await.unwrap();
        fs::write_file(&path, b"version=1").await.unwrap();
        assert_eq!(fs::read_file(&path, 9).await.unwrap(), &b"version=1"[..]);
        assert_eq!(fs::read_file(&path, 8).await.unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(fs::list_dir(dir.path()).await.unwrap().len(), 1, "no temporary is left");
    });
}

#[test]
fn a_lock_is_held_until_it_is_dropped() {
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join(".lock");
        let held = fs::lock(&path).await.unwrap();
        assert_eq!(fs::lock(&path).await.err().unwrap().kind(), ErrorKind::WouldBlock);
        drop(held);
        fs::lock(&path).await.unwrap();
    });
}
