use super::{disk_dir, pattern};
use crate::rt::sync::oneshot;
use crate::rt::uring::start::run_here;
use crate::rt::{AlignedBuffer, File, Map, OpenOptions, Queue, SharedFile, spawn};
use std::io::ErrorKind;
use std::rc::Rc;

const DURABLE: OpenOptions = OpenOptions { write: true, create: true, direct: true, durable: true };

fn buffer(bytes: &[u8]) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::with_capacity(bytes.len());
    buffer.extend_from_slice(bytes);
    buffer
}

#[test]
fn a_buffer_grows_pads_and_keeps_its_alignment() {
    let mut buffer = AlignedBuffer::with_capacity(0);
    assert!(buffer.is_empty());
    let bytes = pattern(10_000);
    bytes.chunks(777).for_each(|chunk| buffer.extend_from_slice(chunk));
    assert_eq!(buffer.as_slice(), bytes);
    assert_eq!(buffer.as_slice().as_ptr() as usize % 4096, 0);
    buffer.pad_to(4096);
    assert_eq!((buffer.len(), buffer.as_slice()[10_000..].iter().all(|b| *b == 0)), (12_288, true));
    buffer.as_mut_slice()[0] = 99;
    buffer.resize(1);
    buffer.resize(3);
    assert_eq!(buffer.as_slice(), [99, 0, 0]);
    buffer.clear();
    assert!(buffer.is_empty() && buffer.capacity() >= 12_288);
}

#[test]
fn a_durable_direct_write_reads_back_by_every_way() {
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("segment");
        let file = File::open(&path, DURABLE).await.unwrap();
        assert!([512, 4096].contains(&file.alignment()), "O_DIRECT on the disk");
        let bytes = pattern(3 << 20);
        let back = file.write_at(0, buffer(&bytes)).await.unwrap();
        assert_eq!(back.as_slice(), bytes);
        assert_eq!(file.len().await.unwrap(), bytes.len() as u64);
        for (offset, len) in
            [(0, 1), (1, 4096), (511, 513), (4096, 8192), ((1 << 20) - 3, 1 << 20), (0, 3 << 20), (1, 4 << 20), (3 << 20, 5), (9 << 20, 5)]
        {
            let expected = &bytes[bytes.len().min(offset)..bytes.len().min(offset + len)];
            assert_eq!(file.read_at(offset as u64, len).await.unwrap(), expected, "{len} bytes from {offset}");
        }
        let shared = SharedFile::open(&path).await.unwrap();
        assert_eq!(shared.read_at(1, bytes.len()).await.unwrap(), bytes[1..]);
        assert_eq!(shared.read_at(bytes.len() as u64 + 1, 10).await.unwrap(), &[][..]);
        assert_eq!(Map::open(&path).await.unwrap().as_slice(), bytes);
    });
}

#[test]
fn several_writes_may_be_under_way_and_a_buffer_is_used_again_at_another_length() {
    let dir = disk_dir();
    run_here(async move {
        let file = Rc::new(File::open(&dir.path().join("journal"), DURABLE).await.unwrap());
        let bytes = pattern(8 * 4096);
        let mut writes = Vec::new();
        for (i, chunk) in bytes.chunks(4096).enumerate() {
            let (done, written) = oneshot();
            let (file, buffer) = (Rc::clone(&file), buffer(chunk));
            spawn(Queue::Foreground, async move { done.send(file.write_at(i as u64 * 4096, buffer).await.unwrap()) });
            writes.push(written);
        }
        let mut buffers = Vec::new();
        for write in writes {
            buffers.push(write.await.unwrap());
        }
        assert_eq!(file.read_at(0, bytes.len()).await.unwrap(), bytes);
        let mut reused = buffers.pop().unwrap();
        reused.resize(2 * 4096);
        let address = reused.as_slice().as_ptr();
        let mut reused = file.write_at(0, reused).await.unwrap();
        reused.resize(4096);
        let reused = file.write_at(4096, reused).await.unwrap();
        assert_eq!((reused.as_slice().as_ptr(), reused.capacity() >= 8192), (address, true), "the same memory, whole");
        assert_eq!(file.read_at(4096, 4096).await.unwrap(), reused.as_slice());
    });
}

#[test]
fn a_write_that_nobody_waits_for_any_more_frees_its_buffer_and_harms_none() {
    let dir = disk_dir();
    run_here(async move {
        let file = File::open(&dir.path().join("journal"), DURABLE).await.unwrap();
        for i in 0..50 {
            let write = file.write_at(i * 65536, buffer(&pattern(65536)));
            let _ = crate::rt::timeout(std::time::Duration::from_micros(1), write).await;
        }
        file.write_at(0, buffer(&[7; 4096])).await.unwrap();
        assert_eq!(file.read_at(0, 4096).await.unwrap(), [7; 4096][..]);
    });
}

#[test]
fn without_direct_io_writes_are_buffered_and_unaligned() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    run_here(async move {
        let path = dir.path().join("segment");
        let file = File::open(&path, DURABLE).await.unwrap();
        assert_eq!(file.alignment(), 1);
        let bytes = pattern(100_001);
        file.write_at(3, buffer(&bytes)).await.unwrap();
        file.sync().await.unwrap();
        assert_eq!(file.read_at(3, 200_000).await.unwrap(), bytes);
        assert_eq!(SharedFile::open(&path).await.unwrap().read_at(0, 200_000).await.unwrap()[3..], bytes);
    });
}

#[test]
fn space_is_reserved_and_cut() {
    let dir = disk_dir();
    run_here(async move {
        let file = File::open(&dir.path().join("segment"), DURABLE).await.unwrap();
        file.allocate(4096, 1 << 20).await.unwrap();
        assert_eq!(file.len().await.unwrap(), 4096 + (1 << 20));
        assert_eq!(file.read_at(8192, 4096).await.unwrap(), [0; 4096][..]);
        file.truncate(5).await.unwrap();
        assert_eq!(file.read_at(0, 4096).await.unwrap(), [0; 5][..]);
        file.sync().await.unwrap();
    });
}

#[test]
fn a_missing_file_is_an_error_of_the_system() {
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("missing");
        for options in [OpenOptions::default(), OpenOptions { direct: true, ..OpenOptions::default() }] {
            assert_eq!(File::open(&path, options).await.err().unwrap().kind(), ErrorKind::NotFound);
        }
        assert_eq!(SharedFile::open(&path).await.err().unwrap().kind(), ErrorKind::NotFound);
        assert_eq!(Map::open(&path).await.err().unwrap().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn an_empty_file_opened_first_does_not_turn_on_the_poll_ring() {
    // On a fresh thread, so that glommio knows nothing of the device yet.
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("empty");
        let file = File::open(&path, DURABLE).await.unwrap();
        assert_eq!(file.read_at(0, 10).await.unwrap(), &[][..]);
        file.write_at(0, buffer(&[1; 4096])).await.unwrap();
        let reader = File::open(&path, OpenOptions { direct: true, ..OpenOptions::default() }).await.unwrap();
        assert_eq!(reader.read_at(4000, 4096).await.unwrap(), [1; 96][..]);
        assert!(reader.write_at(0, buffer(&[1; 4096])).await.is_err(), "opened for reading only");
    });
}

#[test]
fn a_map_of_a_file_that_shrinks_reads_zeros_and_is_poisoned() {
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("index");
        std::fs::write(&path, pattern(5 * 4096)).unwrap();
        let map = Map::open(&path).await.unwrap();
        let other = Map::open(&path).await.unwrap();
        assert_eq!(map.as_slice()[4 * 4096..], pattern(5 * 4096)[4 * 4096..]);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
        assert!(!map.is_poisoned());
        assert!(map.as_slice()[3 * 4096..].iter().all(|b| *b == 0), "pages that are gone read as zeros");
        assert_eq!(map.as_slice()[..4096], pattern(4096), "pages that are left are left");
        assert!(map.is_poisoned());
        assert!(!other.is_poisoned(), "nobody touched the other map");
        drop(map);
        std::fs::write(&path, b"").unwrap();
        let empty = Map::open(&path).await.unwrap();
        assert_eq!((empty.as_slice(), empty.is_poisoned()), (&[][..], false));
    });
}

#[test]
fn a_cold_page_is_read_through_the_ring() {
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("segment");
        let bytes = pattern(1 << 20);
        std::fs::write(&path, &bytes).unwrap();
        let shared = SharedFile::open(&path).await.unwrap();
        drop_from_page_cache(&path);
        assert_eq!(shared.read_at(777, bytes.len()).await.unwrap(), bytes[777..]);
    });
}

pub fn drop_from_page_cache(path: &std::path::Path) {
    use std::os::fd::AsRawFd;
    let file = std::fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    // SAFETY: a plain call on an open descriptor.
    let result = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(result, 0);
}
