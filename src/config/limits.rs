//! Every bound on what a peer can make this process do, with its reason. Pure numbers; configuration may lower some of them.

/// Bytes that a compressed batch's records may expand to. No client can send more uncompressed, since that is the default of
/// `socket.request.max.bytes`; zstd can pack a hundred times as much into one batch, which would hold a core for seconds.
pub const BATCH_EXPANDED_SIZE_MAX: usize = 100 << 20;

/// Window of a zstd frame, as a power of two: what zstd's own decoders accept at most by default (128 MiB).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Faulty records that a produce response lists for one batch: each is a message of about 100 bytes for a record of perhaps 7.
pub const RECORD_ERRORS_MAX: usize = 1_000;
