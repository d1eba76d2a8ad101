// Models of the ECP5's cells for which Yosys has ports alone, as far as Yosys maps to them: the block RAM with both of
// its registers off (Lattice FPGA-TN-02204), the multiplier without registers (FPGA-TN-02205), the PLL as a wire.
//
// A block's word that is written at one port and read at the other in the same cycle is not known: this model gives it
// inverted, so that a netlist that relies on it does not pass.

module DP16KD #(
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG",
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", CSDECODE_A = "0b000", CSDECODE_B = "0b000",
  parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", GSR = "AUTO",
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0, INITVAL_05 = 0,
  parameter [319:0] INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
  parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0, INITVAL_11 = 0,
  parameter [319:0] INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
  parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0, INITVAL_1D = 0,
  parameter [319:0] INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
  parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0, INITVAL_29 = 0,
  parameter [319:0] INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
  parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0,
  parameter [319:0] INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
  parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1,
  input DIA0, ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0, CEA, OCEA, CLKA,
  input WEA, RSTA, CSA2, CSA1, CSA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1,
  input DIB0, ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0, CEB, OCEB, CLKB,
  input WEB, RSTB, CSB2, CSB1, CSB0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1,
  output DOA0, DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2,
  output DOB1, DOB0
);
  localparam [64*320-1:0] INITS = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37,
    INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
    INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25,
    INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
    INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
    INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
    INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
    INITVAL_00
  };
  reg [17:0] mem[0:1023];
  integer word;
  initial for (word = 0; word < 1024; word = word + 1) mem[word] = INITS[word*20+:18];

  wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  // In a word of 36 both halves are read by port B's clock.
  reg [17:0] qa, lower, dob;
  wire [17:0] doa = (DATA_WIDTH_B == 36) ? lower : qa;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = doa;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = dob;

  // Where the bits of a port of `width` lie at address `at` in the word of 18, and how many they are; narrow ports leave
  // out the ninth of each byte.
  function [4:0] lowest;
    input integer width;
    input [13:0] at;
    case (width)
      1: lowest = at[3] * 9 + at[2:0];
      2: lowest = at[3] * 9 + {at[2:1], 1'b0};
      4: lowest = at[3] * 9 + {at[2], 2'b00};
      9: lowest = at[3] * 9;
      default: lowest = 0;
    endcase
  endfunction
  function [17:0] ones;
    input integer width;
    case (width)
      1: ones = 18'd1;
      2: ones = 18'd3;
      4: ones = 18'd15;
      9: ones = 18'd511;
      default: ones = {18{1'b1}};
    endcase
  endfunction
  // What is written: wide ports have an enable for each byte in their lowest address bits.
  function [17:0] mask;
    input integer width;
    input [13:0] at;
    mask = (width > 9) ? {{9{at[1]}}, {9{at[0]}}} : ones(width) << lowest(width, at);
  endfunction
  function [17:0] placed;
    input integer width;
    input [13:0] at;
    input [17:0] value;
    placed = value << lowest(width, at);
  endfunction
  function [17:0] taken;
    input integer width;
    input [13:0] at;
    input [17:0] value;
    taken = (value >> lowest(width, at)) & ones(width);
  endfunction

  // 36 bits are the words of both halves of an even address: the lower one at port A's pins, the upper at port B's.
  wire [9:0] wa = (DATA_WIDTH_A == 36) ? {ada[13:5], 1'b0} : ada[13:4];
  wire [9:0] wb = (DATA_WIDTH_B == 36) ? {adb[13:5], 1'b0} : adb[13:4];
  wire write_a = CEA && WEA, write_b = CEB && WEB && DATA_WIDTH_A != 36;
  wire [17:0] ma = mask(DATA_WIDTH_A, ada), mb = mask(DATA_WIDTH_B, adb);
  wire [17:0] upper = {{9{ada[3]}}, {9{ada[2]}}};
  wire [17:0] pa = placed(DATA_WIDTH_A, ada, dia), pb = placed(DATA_WIDTH_B, adb, dib);
  wire a_hits_b = write_a && (wa == wb || (DATA_WIDTH_A == 36 && wa[9:1] == wb[9:1])
                              || (DATA_WIDTH_B == 36 && wa[9:1] == wb[9:1]));
  wire b_hits_a = write_b && wa == wb;
  wire [17:0] seen_a = b_hits_a ? ~mem[wa] : mem[wa];
  wire [17:0] seen_b = a_hits_b ? ~mem[wb] : mem[wb];
  wire [17:0] seen_high = a_hits_b ? ~mem[wb | 10'd1] : mem[wb | 10'd1];

  always @(posedge CLKA) begin
    if (write_a) begin
      mem[wa] <= (mem[wa] & ~ma) | (pa & ma);
      if (DATA_WIDTH_A == 36) mem[wa | 10'd1] <= (mem[wa | 10'd1] & ~upper) | (dib & upper);
    end
    if (RSTA) qa <= 0;
    else if (CEA) begin
      if (!WEA || WRITEMODE_A == "READBEFOREWRITE") qa <= taken(DATA_WIDTH_A, ada, seen_a);
      else if (WRITEMODE_A == "WRITETHROUGH") qa <= taken(DATA_WIDTH_A, ada, (seen_a & ~ma) | (pa & ma));
    end
  end
  always @(posedge CLKB) begin
    if (write_b) mem[wb] <= (mem[wb] & ~mb) | (pb & mb);
    if (RSTB) {lower, dob} <= 0;
    else if (CEB) begin
      lower <= seen_b;
      if (DATA_WIDTH_B == 36) dob <= seen_high;
      else if (!write_b || WRITEMODE_B == "READBEFOREWRITE") dob <= taken(DATA_WIDTH_B, adb, seen_b);
      else if (WRITEMODE_B == "WRITETHROUGH") dob <= taken(DATA_WIDTH_B, adb, (seen_b & ~mb) | (pb & mb));
    end
  end
  initial begin
    if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" || CLKAMUX != "CLKA" || CLKBMUX != "CLKB") begin
      $error("DP16KD: this model has no output registers and no other edge");
    end
    {qa, lower, dob} = 0;
  end
endmodule

module EHXPLLL #(
  parameter PLLRST_ENA = "DISABLED", INTFB_WAKE = "DISABLED", STDBY_ENABLE = "DISABLED", DPHASE_SOURCE = "DISABLED",
  parameter OUTDIVIDER_MUXA = "DIVA", OUTDIVIDER_MUXB = "DIVB", OUTDIVIDER_MUXC = "DIVC", OUTDIVIDER_MUXD = "DIVD",
  parameter CLKI_DIV = 1, CLKFB_DIV = 1, FEEDBK_PATH = "CLKOP",
  parameter CLKOP_ENABLE = "ENABLED", CLKOP_DIV = 8, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0
) (
  input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
  output CLKOP, LOCK, CLKINTFB
);
  assign CLKOP = CLKI;
  assign LOCK = 1'b1;
  assign CLKINTFB = 1'b0;
endmodule

module MULT18X18D #(
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_PIPELINE_CLK = "NONE", REG_OUTPUT_CLK = "NONE"
) (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14,
  output P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  wire signed [18:0] wide_a = {SIGNEDA & a[17], a}, wide_b = {SIGNEDB & b[17], b};
  wire signed [37:0] product = wide_a * wide_b;
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14,
          P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = product[35:0];
  initial begin
    if (REG_INPUTA_CLK != "NONE" || REG_INPUTB_CLK != "NONE" || REG_PIPELINE_CLK != "NONE" || REG_OUTPUT_CLK != "NONE") begin
      $error("MULT18X18D: this model has no registers");
    end
  end
endmodule
