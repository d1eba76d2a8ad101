// y = x >> SHIFT (rounded down), cut to the nearest number of OUT_BITS bits. Combinational.
`default_nettype none

module bvit_saturate #(
  parameter int IN_BITS = 17,
  parameter int SHIFT = 4,
  parameter int OUT_BITS = 8
) (
  input  wire logic signed [IN_BITS-1:0]  x,
  output      logic signed [OUT_BITS-1:0] y
);
  if (SHIFT < 0 || IN_BITS < 1 || OUT_BITS < 1) begin : gen_illegal
    $error("bvit_saturate: SHIFT=%0d must not be negative, IN_BITS=%0d and OUT_BITS=%0d positive",
           SHIFT, IN_BITS, OUT_BITS);
  end

  localparam int W_BITS = (IN_BITS > SHIFT) ? IN_BITS - SHIFT : 1;  // of what the shift leaves
  logic signed [W_BITS-1:0] w;
  assign w = W_BITS'(x >>> SHIFT);
  if (W_BITS <= OUT_BITS) begin : gen_fits
    assign y = OUT_BITS'(w);
  end else begin : gen_cut
    logic fits;
    assign fits = (w[W_BITS-1:OUT_BITS-1] == '0) || (&w[W_BITS-1:OUT_BITS-1]);
    always_comb begin
      y = w[OUT_BITS-1:0];
      if (!fits) begin
        y = {OUT_BITS{!w[W_BITS-1]}};
        y[OUT_BITS-1] = w[W_BITS-1];
      end
    end
  end
endmodule

`default_nettype wire
