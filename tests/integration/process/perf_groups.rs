//! `ringmill-perf groups` against the real process: every phase ends, and every figure is there.

use std::process::Command;

use crate::broker::Broker;

#[test]
fn groups_are_loaded_and_every_figure_is_told() {
    let broker = Broker::start_with(&["group.initial.rebalance.delay.ms=0"]);
    let out = tempfile::tempdir().expect("a directory");
    let flags = "--groups 5 --members 40 --large 20 --partitions 8 --seconds 0.5 --heartbeat-ms 200 --committers 40 --rebalances 4";
    let done = Command::new(env!("CARGO_BIN_EXE_ringmill-perf"))
        .args(["groups", "--broker", &broker.bootstrap(), "--pid", &broker.id().to_string(), "--metrics", &broker.admin().to_string()])
        .args(flags.split(' '))
        .arg("--out")
        .arg(out.path())
        .output()
        .expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read(out.path().join("groups.json")).expect("a result");
    let result: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let metric = |name: &str| result["metrics"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {result}"));
    assert_eq!((metric("connections"), metric("errors")), (60.0, 0.0), "{}", String::from_utf8_lossy(&done.stderr));
    for name in ["join_s", "heartbeats_per_s", "commits_per_s", "rebalance_after_last_join_ms", "accounted_bytes_per_member"] {
        assert!(metric(name) > 0.0, "{name} in {result}");
    }
    assert!(metric("accounted_bytes_per_offset") > 0.0 && metric("journal_writes_per_commit") > 0.0, "{result}");
    assert_eq!(result["groups"]["members"], 40);
}
