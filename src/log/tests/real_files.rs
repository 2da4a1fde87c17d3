//! The same code on glommio and a real file system: a directory under the build's temporary files.

use super::*;
use crate::rt::{CoreSpec, uring};
use std::time::Duration;

/// Runs `task` on a core of its own and waits for its end.
fn on_a_core<F: std::future::Future<Output = ()> + 'static>(task: impl FnOnce() -> F + Send + 'static) {
    let spec = CoreSpec { name: "log-test".into(), cpu: None, main: Box::new(move || Box::pin(task())) };
    uring::run(vec![spec]).expect("io_uring is there").join();
}

#[test]
fn segments_journal_and_recovery_work_on_real_files() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = LogConfig { log_dirs: vec![dir.path().to_path_buf()], ..small_config() };
    let (first, second, third) = (config.clone(), config.clone(), config);
    on_a_core(move || async move {
        let broker = start(first).await;
        for partition in 0..3 {
            let log = broker.log(partition).await;
            for n in 0..300 {
                broker.store.room(2000).await;
                let end = append(&log, &batch(1000 * n, 2, 400, n as u8));
                // Some go through the journal, some past it.
                if n % 30 == 29 && n < 200 {
                    log.wait_durable(end).await.unwrap();
                }
            }
            log.wait_durable(Offset(600)).await.unwrap();
            assert_eq!(read_all(&log, Offset(0), 10_000).await.len(), 300);
        }
        // No clean stop: the tasks end with their core.
        drop(broker);
    });
    on_a_core(move || async move {
        let broker = start(second).await;
        assert!(broker.recovered.frames > 0);
        for partition in 0..3 {
            let log = broker.log(partition).await;
            assert_eq!(log.log_end(), Offset(600));
            assert_eq!(read_all(&log, Offset(0), 10_000).await.len(), 300);
            log.set_config(Rc::new(TopicLogConfig { segment_bytes: 1 << 20, ..(*small_topic()).clone() }));
            append(&log, &batch(400_000, 1, 100_000, 1));
        }
        broker.stop().await;
    });
    on_a_core(move || async move {
        let broker = start(third).await;
        assert_eq!(broker.recovered.frames, 0);
        let log = broker.log(1).await;
        assert_eq!(log.log_end(), Offset(601));
        assert_eq!(log.offset_for_timestamp(Timestamp(150_001)).await.unwrap().unwrap().offset, Offset(301));
        broker.stop().await;
        crate::rt::sleep(Duration::from_millis(1)).await;
    });
    if std::env::var_os("RINGMILL_KEEP_FILES").is_some() {
        println!("kept in {}", dir.keep().display());
    }
}
