//! What a run may do to the code in it: latencies, faults, the disk's shape. Everything has a default that hurts a little.

/// A range of durations in nanoseconds; most draws fall in the lowest eighth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub low_ns: u64,
    pub high_ns: u64,
}

impl Span {
    pub const fn us(low: u64, high: u64) -> Span {
        Span { low_ns: low * 1_000, high_ns: high * 1_000 }
    }
}

/// What a world is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Simulated CPU time of one poll of a task.
    pub poll: Span,
    /// Delay of a message between two cores of a process.
    pub mesh: Span,
    pub disk_read: Span,
    pub disk_write: Span,
    pub disk_sync: Span,
    /// Directory operations, opens, and other work on the blocking pool.
    pub blocking: Span,
    /// One way between two machines (and on the loopback of one).
    pub network: Span,
    /// How long a connection attempt to a machine that does not answer takes to fail.
    pub connect_timeout: Span,
    /// Bytes under way in one direction of a connection before its writer waits.
    pub network_window: usize,
    /// Direct writes must be multiples of this; 1: the file system has no O_DIRECT. `None`: the seed picks 512, 4096 or (rarely) 1 for each machine.
    pub alignment: Option<usize>,
    /// Keep the whole trace as text (slow and large); the hash is always kept.
    pub trace_text: bool,
    /// A run that takes more events than this is taken for a livelock.
    pub events_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            poll: Span { low_ns: 200, high_ns: 40_000 },
            mesh: Span::us(1, 400),
            disk_read: Span::us(20, 4_000),
            disk_write: Span::us(50, 12_000),
            disk_sync: Span::us(100, 25_000),
            blocking: Span::us(20, 6_000),
            network: Span::us(15, 8_000),
            connect_timeout: Span::us(1_000_000, 10_000_000),
            network_window: 128 * 1024,
            alignment: None,
            trace_text: false,
            events_max: 200_000_000,
        }
    }
}

/// Injected faults of one machine's disk; each probability is "once in n", 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskFaults {
    pub read_error_one_in: u32,
    /// EIO; any subset of the write's sectors may have been written.
    pub write_error_one_in: u32,
    /// EIO; what was to be synced is dropped: reads still see it, no later sync saves it.
    pub sync_error_one_in: u32,
    /// An operation that takes 200 times as long.
    pub stall_one_in: u32,
    /// ENOSPC beyond this many bytes. `None`: unlimited.
    pub capacity: Option<u64>,
    /// Read, write and sync errors happen only below this directory of the root (each is a file system of its own). `None`: everywhere.
    pub only_in: Option<&'static str>,
}

/// Injected faults of the network between all machines; each probability is "once in n", 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkFaults {
    /// The connection is cut at a segment; both ends learn of it, at different times.
    pub cut_one_in: u32,
    /// A connection attempt is refused.
    pub refuse_one_in: u32,
    /// A segment takes 100 times as long.
    pub stall_one_in: u32,
}
