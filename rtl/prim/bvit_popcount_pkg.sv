// Sizes of the parity recursion over n bits: a level of so many bits makes groups of three, and the next level holds
// their parities and then what is left over, until two bits or one remain (see bvit_popcount_parity).
`default_nettype none

package bvit_popcount_pkg;
  // Bits of a level; level 0 is the n bits themselves.
  function automatic int level_size(input int n, input int level);
    int size;
    size = n;
    for (int i = 0; i < level; i++) size = size / 3 + size % 3;
    return size;
  endfunction

  // Bits of all levels before this one: where it begins when they leave one after another.
  function automatic int level_offset(input int n, input int level);
    int total;
    total = 0;
    for (int i = 0; i < level; i++) total = total + level_size(n, i);
    return total;
  endfunction

  // The level that has two bits or one.
  function automatic int last_level(input int n);
    int level;
    level = 0;
    while (level_size(n, level) > 2) level = level + 1;
    return level;
  endfunction

  // Groups of the levels from 1 up to and without `level`.
  function automatic int upper_groups(input int n, input int level);
    int total;
    total = 0;
    for (int i = 1; i < level; i++) total = total + level_size(n, i) / 3;
    return total;
  endfunction

  // Bits of a weight word (see bvit_popcount_majority): parities of the upper levels as far as an eighth of n reaches.
  // One bit in nine then is a parity: block RAM has these bits anyway.
  function automatic int word_bits(input int n);
    int parities;
    parities = upper_groups(n, last_level(n));
    return n + ((parities < n / 8) ? parities : n / 8);
  endfunction
endpackage

`default_nettype wire
