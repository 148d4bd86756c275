//! Large aligned buffers, and views of them that several threads may write to.

use crate::size::product;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Gives freed memory back to the system, and from here on freed blocks of 1 MiB and more at once, in the whole process.
/// glibc otherwise takes ever larger ones from a heap that seldom shrinks: 46 MiB more at the peak of a painting of
/// 2048×1536 within 1.5 GiB. Elsewhere it does nothing.
pub fn return_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: these set parameters of the allocator and have it tidy up, which may be done at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 20);
        libc::malloc_trim(0);
    }
}

/// Tells the system that bytes which lie in the program's file will not be read for a while and need not stay in memory.
/// They may be read at any time all the same. Elsewhere than on Linux it does nothing.
pub fn release_pages(bytes: &'static [u8]) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: it asks for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
        let range = bytes.as_ptr_range();
        let (start, end) = (range.start.addr().next_multiple_of(page), range.end.addr() / page * page);
        if start < end {
            let start_of_pages = range.start.wrapping_add(start - range.start.addr()).cast_mut();
            // SAFETY: whole pages of memory that is mapped; whatever they hold stays readable as it is.
            unsafe { libc::madvise(start_of_pages.cast(), end - start, libc::MADV_PAGEOUT) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = bytes;
}

/// A zeroed buffer of `T` aligned to 64 bytes, backed by huge pages where it is large and the system has them.
///
/// Only for plain numbers, of which all zeros is a value.
pub(crate) struct Buffer<T: Number> {
    region: Region,
    len: usize,
    kind: PhantomData<T>,
}

/// Plain numbers: any bits are a value, zeros included.
pub(crate) trait Number: Copy + Send + Sync + 'static {}
impl Number for f32 {}
impl Number for f64 {}
impl Number for u16 {}
impl Number for u32 {}

impl<T: Number> Buffer<T> {
    /// `len` zeros.
    ///
    /// # Panics
    /// If this many bytes cannot be one object.
    pub(crate) fn new(len: usize) -> Self {
        let Some(bytes) = product(&[len, size_of::<T>()]) else {
            panic!("a buffer of {len} values is larger than the address space");
        };
        Self { region: Region::new(bytes), len, kind: PhantomData }
    }
}

impl<T: Number> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the region holds `len` values, aligned to 64 bytes and zeroed at first; any bits are a value.
        unsafe { std::slice::from_raw_parts(self.region.start.cast(), self.len) }
    }
}

impl<T: Number> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the buffer is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.region.start.cast(), self.len) }
    }
}

/// Bytes aligned to 64, zeroed at first.
struct Region {
    start: *mut u8,
    owner: Owner,
}

enum Owner {
    Nothing,
    Heap(std::alloc::Layout),
    #[cfg(target_os = "linux")]
    Mapping {
        base: *mut libc::c_void,
        len: usize,
    },
}

// SAFETY: the region is owned alone and is plain memory.
unsafe impl Send for Region {}
// SAFETY: shared access only reads.
unsafe impl Sync for Region {}

impl Region {
    fn new(bytes: usize) -> Self {
        if bytes == 0 {
            return Self { start: std::ptr::without_provenance_mut(64), owner: Owner::Nothing };
        }
        #[cfg(target_os = "linux")]
        if let Some(region) = Self::huge(bytes) {
            return region;
        }
        let Ok(layout) = std::alloc::Layout::from_size_align(bytes, 64) else { panic!("buffer of {bytes} bytes") };
        // SAFETY: the layout is not empty.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        if start.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        Self { start, owner: Owner::Heap(layout) }
    }

    /// A private mapping that asks for huge pages: a step touches hundreds of megabytes, and with 4 KiB pages the
    /// first touch and the address translation both cost a measurable share of it.
    #[cfg(target_os = "linux")]
    fn huge(bytes: usize) -> Option<Self> {
        const PAGE: usize = 2 << 20;
        if bytes < PAGE || cfg!(miri) {
            return None;
        }
        let len = bytes.checked_add(PAGE)?;
        // SAFETY: a new anonymous mapping touches no existing memory.
        let base = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), len, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        if base == libc::MAP_FAILED {
            return None;
        }
        let start = base.cast::<u8>().wrapping_add((base as usize).next_multiple_of(PAGE) - base as usize);
        // SAFETY: the range lies in the mapping made above; where the advice is refused, ordinary pages serve.
        unsafe { libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE) };
        Some(Self { start, owner: Owner::Mapping { base, len } })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        match self.owner {
            Owner::Nothing => {}
            // SAFETY: allocated with this layout in `new`.
            Owner::Heap(layout) => unsafe { std::alloc::dealloc(self.start, layout) },
            #[cfg(target_os = "linux")]
            // SAFETY: mapped with this length in `huge`; nothing borrows it any more.
            Owner::Mapping { base, len } => unsafe {
                libc::munmap(base, len);
            },
        }
    }
}

/// A shared slice whose bounds are checked in debug builds only.
pub(crate) struct View<'a, T> {
    start: *const T,
    len: usize,
    kind: PhantomData<&'a [T]>,
}

/// A mutable slice that several threads write to, each its own part; bounds are checked in debug builds only.
pub(crate) struct ViewMut<'a, T> {
    start: *mut T,
    len: usize,
    kind: PhantomData<&'a mut [T]>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for View<'_, T> {}
impl<T> Clone for ViewMut<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for ViewMut<'_, T> {}

// SAFETY: a view reads like a shared slice.
unsafe impl<T: Sync> Send for View<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for View<'_, T> {}
// SAFETY: every write goes through an unsafe function whose caller promises that no other thread touches the place.
unsafe impl<T: Send> Send for ViewMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for ViewMut<'_, T> {}

impl<'a, T> View<'a, T> {
    /// A view of the slice.
    #[inline(always)]
    pub(crate) fn new(slice: &'a [T]) -> Self {
        Self { start: slice.as_ptr(), len: slice.len(), kind: PhantomData }
    }

    /// Where value `index` would be, which need not exist: to ask for, not to read.
    #[inline(always)]
    pub(crate) fn near(self, index: usize) -> *const T {
        self.start.wrapping_add(index)
    }

    /// The place of value `index`, good for reading `count` values.
    /// # Safety
    /// `index + count` is at most the length, and nobody writes there meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn at(self, index: usize, count: usize) -> *const T {
        debug_assert!(index + count <= self.len, "{index} + {count} > {}", self.len);
        // SAFETY: inside the slice by the caller's promise.
        unsafe { self.start.add(index) }
    }
}

impl<'a, T> ViewMut<'a, T> {
    /// A view of the slice.
    #[inline(always)]
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), kind: PhantomData }
    }

    /// The place of value `index`, good for reading and writing `count` values.
    /// # Safety
    /// `index + count` is at most the length, and no other thread touches those values meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn at(self, index: usize, count: usize) -> *mut T {
        debug_assert!(index + count <= self.len, "{index} + {count} > {}", self.len);
        // SAFETY: inside the slice by the caller's promise.
        unsafe { self.start.add(index) }
    }

    /// A view to read from.
    /// # Safety
    /// Nobody writes to what is read through it meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn reading(self) -> View<'a, T> {
        View { start: self.start, len: self.len, kind: PhantomData }
    }

    /// `count` values from `index` on as a slice.
    /// # Safety
    /// As for [`at`](ViewMut::at), for as long as the slice lives.
    #[inline(always)]
    pub(crate) unsafe fn slice(self, index: usize, count: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(index, count), count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_pages_are_still_there() {
        static BYTES: [u8; 40_000] = [7; 40_000];
        return_large_blocks();
        for bytes in [&BYTES[..], &BYTES[100..39_000], &BYTES[5000..5001], &[]] {
            release_pages(bytes);
        }
        assert!(BYTES.iter().all(|byte| *byte == 7) && vec![0u8; 9 << 20].iter().all(|byte| *byte == 0));
    }
}
