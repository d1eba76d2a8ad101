// Macros of the proofs. A wrapper serves two questions to the checker: is every assertion true in all reachable
// states, and (FV_COVER) is every cover point reached. A cover point is asked for as an assertion of its contrary.
`ifndef FV_SVH
`define FV_SVH

`ifdef FV_COVER
`define FV_ASSERT(label, condition)
`define FV_COVER_POINT(label, condition) always_comb label: assert (!(condition));
`else
`define FV_ASSERT(label, condition) always_comb label: assert (condition);
`define FV_COVER_POINT(label, condition)
`endif
`define FV_ASSUME(label, condition) always_comb label: assume (condition);

`endif
