//! The raw system calls that std and glommio do not offer, each as a safe function that returns `io::Result`.
//!
//! None of them blocks: sockets are O_NONBLOCK, reads carry RWF_NOWAIT.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Most parts one sendmsg takes (IOV_MAX is 1024; beyond a few hundred the call's own cost is nothing any more).
const PARTS_MAX: usize = 256;
/// Most bytes one sendmsg copies: about 0.2 ms of the core's time.
const SEND_BYTES_MAX: usize = 1 << 20;

fn check(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// A second descriptor of the same open file.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the caller holds the descriptor open for the call.
    unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()
}

/// An epoll descriptor that is readable while `fd` is. Unlike a duplicate it does not keep the file of `fd` open.
pub fn readiness_of(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    check(epoll as libc::ssize_t)?;
    // SAFETY: a descriptor just made, owned by nobody else.
    let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    let mut interest = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    // SAFETY: the event is valid for the call; a bad `fd` is an error.
    let added = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut interest) };
    check(added as libc::ssize_t)?;
    Ok(epoll)
}

/// Receives into the spare capacity of `buffer`, at most `limit` bytes.
pub fn receive(fd: RawFd, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
    let spare = buffer.spare_capacity_mut();
    let len = spare.len().min(limit);
    // SAFETY: `len` bytes from there on are writable memory that outlives the call.
    let received = check(unsafe { libc::recv(fd, spare.as_mut_ptr().cast(), len, libc::MSG_DONTWAIT) })?;
    // SAFETY: the kernel has written the first `received` bytes of the spare capacity.
    unsafe { buffer.set_len(buffer.len() + received) };
    Ok(received)
}

/// Sends from the front of `parts`; does not pop. With `more`, what does not fill a packet waits for the next send.
pub fn send(fd: RawFd, parts: &VecDeque<Bytes>, more: bool) -> io::Result<usize> {
    let mut vector = [const { libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 } }; PARTS_MAX];
    let mut count = 0;
    let mut bytes = 0;
    for (slot, part) in vector.iter_mut().zip(parts) {
        *slot = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
        count += 1;
        bytes += part.len();
        if bytes >= SEND_BYTES_MAX {
            slot.iov_len -= bytes - SEND_BYTES_MAX;
            break;
        }
    }
    // SAFETY: all zeros is a valid msghdr.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = vector.as_mut_ptr();
    header.msg_iovlen = count;
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
    // SAFETY: every part points into a Bytes of `parts`, which is borrowed for the call and only read.
    check(unsafe { libc::sendmsg(fd, &header, flags) })
}

/// sendfile(2) at an explicit offset.
pub fn send_file(socket: RawFd, file: RawFd, offset: u64, len: usize) -> io::Result<usize> {
    let mut at = libc::off_t::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: plain descriptors and a local offset.
    check(unsafe { libc::sendfile(socket, file, &mut at, len) })
}

/// Reads what the page cache has; `WouldBlock` if the first page is not there, `Unsupported` where the file system cannot tell.
pub fn read_cached(file: RawFd, offset: u64, into: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let at = libc::off_t::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let part = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    // SAFETY: the one part is writable memory that outlives the call.
    check(unsafe { libc::preadv2(file, &part, 1, at, libc::RWF_NOWAIT) })
}

/// Reads of this open file bring what they ask for into the page cache and no more.
pub fn no_readahead(file: &std::fs::File) -> io::Result<()> {
    // SAFETY: no memory is passed.
    match unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Begins to read these bytes into the page cache, whatever the file's readahead is, and does not wait for them.
pub fn read_ahead(file: RawFd, offset: u64, len: usize) -> io::Result<()> {
    let at = libc::off64_t::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: no memory is passed.
    check(unsafe { libc::readahead(file, at, len) }).map(drop)
}

/// The next pending connection of a listening socket, nonblocking and close-on-exec, and its address.
pub fn accept(listener: RawFd) -> io::Result<(OwnedFd, socket2::SockAddr)> {
    // SAFETY: try_init hands over storage of the given length; accept4 fills it or fails.
    let (fd, address) = unsafe {
        socket2::SockAddr::try_init(|storage, len| {
            check(libc::accept4(listener, storage.cast(), len, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) as libc::ssize_t)
        })?
    };
    // SAFETY: accept4 has just made this descriptor and nobody else knows it.
    Ok((unsafe { OwnedFd::from_raw_fd(fd as RawFd) }, address))
}

/// Shuts both directions; a socket that is no longer connected is shut already.
pub fn shutdown(fd: RawFd) {
    // SAFETY: a plain call on a descriptor the caller owns.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// The size of an open file in bytes; answered from memory.
pub fn file_len(fd: RawFd) -> io::Result<u64> {
    // SAFETY: all zeros is a valid stat, which fstat fills.
    let mut stat: libc::stat = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: `stat` outlives the call.
    if unsafe { libc::fstat(fd, &mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(stat.st_size as u64)
}

/// 8 random bytes of the system.
pub fn system_random() -> u64 {
    let mut seed = [0u8; 8];
    // SAFETY: 8 writable bytes; requests below 256 bytes are answered whole once the system has booted.
    let got = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
    assert_eq!(got, 8, "getrandom failed");
    u64::from_ne_bytes(seed)
}

/// Nanoseconds of a system clock.
pub fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(result, 0, "clock_gettime failed");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// posix_fallocate's work without its emulation: reserves, and grows the file to the end of the range.
pub fn allocate(fd: &OwnedFd, offset: u64, len: u64) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let offset = libc::off_t::try_from(offset).map_err(|_| invalid())?;
    let len = libc::off_t::try_from(len).map_err(|_| invalid())?;
    loop {
        // SAFETY: a plain call on a descriptor we own.
        if unsafe { libc::fallocate(fd.as_raw_fd(), 0, offset, len) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// What a file needs for O_DIRECT.
pub struct DirectIo {
    /// Of offsets and lengths, in bytes.
    pub alignment: usize,
    /// Major and minor number of the device.
    pub device: (u32, u32),
}

/// Whether an open file can do direct I/O from 4096-aligned memory, as statx says, or by trying where statx does not know.
pub fn direct_io(file: &std::fs::File) -> io::Result<Option<DirectIo>> {
    // SAFETY: all zeros is a valid statx, which the kernel fills.
    let mut stat: libc::statx = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: an empty path with AT_EMPTY_PATH names the descriptor; `stat` outlives the call.
    let result = unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, libc::STATX_DIOALIGN, &mut stat) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let device = (stat.stx_dev_major, stat.stx_dev_minor);
    if stat.stx_mask & libc::STATX_DIOALIGN != 0 {
        let usable = stat.stx_dio_offset_align != 0 && stat.stx_dio_mem_align <= 4096;
        return Ok(usable.then_some(DirectIo { alignment: stat.stx_dio_offset_align as usize, device }));
    }
    // SAFETY: plain calls on a descriptor we own.
    let accepted = unsafe {
        let flags = libc::fcntl(file.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_DIRECT) == 0
            && libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags) == 0
    };
    let memory = is_tmpfs(file)?;
    Ok((accepted && !memory).then_some(DirectIo { alignment: 4096, device }))
}

fn is_tmpfs(file: &std::fs::File) -> io::Result<bool> {
    // SAFETY: all zeros is a valid statfs, which the kernel fills.
    let mut stat: libc::statfs = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: `stat` outlives the call.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(stat.f_type == libc::TMPFS_MAGIC)
}

/// A counter that a read waits for and resets. Blocking, so that the ring waits instead of failing.
pub fn event_fd() -> io::Result<OwnedFd> {
    // SAFETY: a plain call.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds one to a counter of [`event_fd`]. Does not block: nobody rings twice before it is read.
pub fn ring(event_fd: &OwnedFd) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: 8 readable bytes.
    let written = unsafe { libc::write(event_fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    assert_eq!(written, 8, "an eventfd takes 8 bytes");
}
