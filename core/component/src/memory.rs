//! Compares memory, eight bytes at a time.
//!
//! Rust's own `memcmp` for wasm32 compares byte by byte, and each round of its loop also checks the host's deadline.
//! That took a third of the time of large plans, whose paths all begin the same.

/// Rust compiles comparisons of slices and strings to calls of this function. It replaces the symbol of
/// compiler-builtins, which is weak.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    let mut at = 0;
    while length - at >= 8 {
        // SAFETY: the caller has `length` bytes at both places.
        let one = unsafe { left.add(at).cast::<u64>().read_unaligned() };
        // SAFETY: as above.
        let other = unsafe { right.add(at).cast::<u64>().read_unaligned() };
        if one != other {
            // Memory is little-endian: the first bytes that differ are the lowest.
            let shift = (one ^ other).trailing_zeros() & !7;
            return (one >> shift & 0xff) as i32 - (other >> shift & 0xff) as i32;
        }
        at += 8;
    }
    while at < length {
        // SAFETY: as above.
        let one = unsafe { left.add(at).read() };
        // SAFETY: as above.
        let other = unsafe { right.add(at).read() };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
        at += 1;
    }
    0
}
