//! One value per row, shared: a pool of millions is held once, whoever reads it. Changing a shared column copies it first.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A column of a pool; reads and changes like a `Vec`, and a clone costs nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Column<T>(Arc<Vec<T>>);

impl<T> Clone for Column<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> From<Vec<T>> for Column<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Arc::new(values))
    }
}

impl<T> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Vec::from_iter(values).into()
    }
}

impl<T> Deref for Column<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Clone> DerefMut for Column<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        Arc::make_mut(&mut self.0)
    }
}

impl<'a, T> IntoIterator for &'a Column<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shares_until_one_is_changed() {
        let first: Column<u32> = vec![1, 2, 3].into();
        let mut second = first.clone();
        assert!(Arc::ptr_eq(&first.0, &second.0));
        second[1] = 7;
        assert_eq!((first.as_slice(), second.as_slice()), ([1, 2, 3].as_slice(), [1, 7, 3].as_slice()));
    }
}
