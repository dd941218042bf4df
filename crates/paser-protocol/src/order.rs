//! The order in which every stage takes samples: by content hash, equal hashes by id (`method.md` 1, item 4).

use std::cmp::Ordering;

/// The whole number an id stands for: `17` or `line:17`.
pub fn id_number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix("line:").unwrap_or(id);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Whole numbers come first and by value, so that 9 is smaller than 10; all other ids by their bytes.
pub fn compare_ids(a: &str, b: &str) -> Ordering {
    match (id_number(a), id_number(b)) {
        (Some(left), Some(right)) => left.cmp(&right).then_with(|| a.cmp(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Rows by rising hash, equal hashes by [`compare_ids`], both equal by row. `hashes` and `ids` are per row; bare rows
/// have no ids.
pub fn order_by_hash<Id: AsRef<str>>(hashes: &[[u8; 32]], ids: &[Id]) -> Vec<u32> {
    let id = |row: usize| ids.get(row).map(AsRef::as_ref);
    let by_id = |a: usize, b: usize| match (id(a), id(b)) {
        (Some(a), Some(b)) => compare_ids(a, b),
        _ => Ordering::Equal,
    };
    // The first bytes decide nearly always, and side by side in memory they sort several times as fast.
    let begins = |hash: &[u8; 32]| u64::from_be_bytes(std::array::from_fn(|at| hash[at]));
    let mut order: Vec<(u64, u32)> = hashes.iter().map(begins).zip(0..).collect();
    order.sort_unstable_by(|&(begins, a), &(other, b)| {
        let (left, right) = (a as usize, b as usize);
        let whole = || hashes[left].cmp(&hashes[right]).then_with(|| by_id(left, right)).then(a.cmp(&b));
        begins.cmp(&other).then_with(whole)
    });
    order.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_compare_by_value_where_they_are_numbers() {
        assert_eq!(compare_ids("9", "10"), Ordering::Less);
        assert_eq!(compare_ids("line:9", "line:10"), Ordering::Less);
        assert_eq!(compare_ids("b", "a"), Ordering::Greater);
        assert_eq!(compare_ids("10", "a"), Ordering::Less);
        assert_eq!(compare_ids("+1", "1"), Ordering::Greater);
    }

    #[test]
    fn hashes_that_begin_alike_go_by_their_ends() {
        let hash = |first: u8, last: u8| {
            std::array::from_fn(|at| [0, first, last][usize::from(at == 0) + 2 * usize::from(at == 31)])
        };
        let hashes: [[u8; 32]; 4] = [hash(1, 9), hash(1, 3), hash(0, 200), hash(1, 5)];
        assert_eq!(order_by_hash(&hashes, &["a", "b", "c", "d"]), [2, 1, 3, 0]);
    }

    #[test]
    fn equal_hashes_go_by_id_and_bare_rows_by_place() {
        let hashes = [[1; 32], [0; 32], [1; 32]];
        assert_eq!(order_by_hash(&hashes, &["b", "z", "a"]), [1, 2, 0]);
        assert_eq!(order_by_hash(&hashes, &["10", "1", "9"]), [1, 2, 0]);
        assert_eq!(order_by_hash::<&str>(&hashes, &[]), [1, 0, 2]);
    }
}
