//! A number for a name: the same for the same name, on every machine and in every version.

/// FNV-1a. See <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub(crate) fn fnv1a(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::fnv1a;

    /// Numbers of panels stand in links that people keep.
    #[test]
    fn it_is_the_one_that_is_published() {
        assert_eq!([fnv1a(""), fnv1a("a"), fnv1a("foobar")], [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
    }
}
