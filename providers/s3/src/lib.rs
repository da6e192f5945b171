//! Object storage: keys, ranged reads and lenses over objects.
