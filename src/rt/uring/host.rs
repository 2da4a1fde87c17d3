//! Facts of the machine, by plain system calls; those that may block run on the pool.

use crate::rt::blocking;
use crate::rt::host::VolumeSpace;
use std::ffi::CString;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub async fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let host = host.to_string();
    blocking(move || {
        let mut addresses = (host.as_str(), port).to_socket_addrs()?;
        addresses.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))
    })
    .await
}

pub fn host_name() -> String {
    let mut buffer = [0u8; 256];
    // SAFETY: the buffer is writable for its whole length.
    let outcome = unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len()) };
    let name = buffer.split(|&b| b == 0).next().unwrap_or_default();
    match std::str::from_utf8(name) {
        Ok(name) if outcome == 0 && !name.is_empty() => name.to_string(),
        _ => "localhost".into(),
    }
}

pub fn allowed_cpus() -> Vec<usize> {
    // SAFETY: all zeros is an empty set.
    let mut set: libc::cpu_set_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the set is as large as said.
    let outcome = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if outcome != 0 {
        return vec![0];
    }
    // SAFETY: the index is below CPU_SETSIZE.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

pub async fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    blocking(|| {
        // SAFETY: a call of the allocator's without arguments that matter; it takes its own locks.
        unsafe { libc::malloc_trim(0) };
    })
    .await;
}

pub async fn volume_space(path: &Path) -> io::Result<VolumeSpace> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    blocking(move || {
        let mut stat = MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: the path ends with a zero and the struct is writable.
        if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the struct is filled.
        let stat = unsafe { stat.assume_init() };
        Ok(VolumeSpace { total_bytes: stat.f_blocks * stat.f_frsize, free_bytes: stat.f_bavail * stat.f_frsize })
    })
    .await
}
