//! Stories about what the commands are called with, and how they print.

use super::records::text;
use super::{DirArguments, size};

#[test]
fn sizes_are_read_at_a_glance() {
    assert_eq!([0, 1023, 1024, 1_500_000, 3 << 40].map(size), ["0 B", "1023 B", "1.0 KiB", "1.4 MiB", "3.0 TiB"]);
}

#[test]
fn what_is_no_text_is_escaped() {
    assert_eq!(text("grün".as_bytes()), "grün");
    assert_eq!(text(b"a\nb"), "a\\nb");
    assert_eq!(text(&[0xff, b'x']), "\\xffx");
}

#[test]
fn directories_come_from_the_arguments_or_from_the_configuration() {
    let named = DirArguments { dirs: vec!["/a".into(), "/b".into()], ..DirArguments::default() };
    assert_eq!(named.resolve().unwrap(), [std::path::PathBuf::from("/a"), "/b".into()]);
    let configured = DirArguments { set: vec!["log.dirs=/x,/y".into()], ..DirArguments::default() };
    assert_eq!(configured.resolve().unwrap(), [std::path::PathBuf::from("/x"), "/y".into()]);
}
