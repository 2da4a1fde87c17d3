//! Runs of large batches at once, as a producer with a deep queue sends them: enough for them to bypass the journal.

use super::traffic::{Client, below, pause_us};
use bytes::Bytes;
use ringmill::rt::{self, Queue, random_u64};
use ringmill::wire::records::BatchBuilder;

fn large() -> Bytes {
    let mut builder = BatchBuilder::default();
    let value: Vec<u8> = random_u64().to_be_bytes().into_iter().cycle().take(1_000 + below(16_000) as usize).collect();
    builder.push(rt::wall_clock(), None, Some(&value), &[]);
    builder.finish().into_bytes()
}

/// Some batches close together, then a pause; ends with the log.
pub async fn produce(client: Client) {
    loop {
        let before = client.store.stats().bypass_runs;
        for _ in 0..1 + below(8) {
            let Some(appended) = client.append(large()).await else { return };
            rt::spawn(Queue::Foreground, client.clone().wait(appended));
            if below(3) == 0 {
                pause_us(500).await;
            }
        }
        pause_us(50_000).await;
        client.ledger.lock().counts.bypass_runs += client.store.stats().bypass_runs - before;
    }
}
