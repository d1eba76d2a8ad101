// Models of 7 series' block RAMs (UG473), for which Yosys has ports alone, as far as Yosys maps to them: no output
// registers, no cascades, one clock. In SDP mode port A reads and port B writes, 36 or 72 bits with both ports' pins.

module bvit_ramb #(
  parameter BYTES = 2048, ADDRESS = 14, HALF = 16,
  parameter RAM_MODE = "TDP", READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
  parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
  parameter [8*BYTES-1:0] INIT = 0,
  parameter [BYTES-1:0] INITP = 0
) (
  input clk, en_a, en_b, rst_a, rst_b,
  input [ADDRESS-1:0] addr_a, addr_b,
  input [2*HALF-1:0] di_a, di_b,
  input [2*HALF/8-1:0] dip_a, dip_b,
  input [7:0] we_a, we_b,
  output [2*HALF-1:0] do_a, do_b,
  output [2*HALF/8-1:0] dop_a, dop_b
);
  // di_a, di_b and so on are twice a port's pins: in SDP mode both ports' together.
  reg [8:0] mem[0:BYTES-1];
  integer n;
  initial for (n = 0; n < BYTES; n = n + 1) mem[n] = {INITP[n], INIT[8*n+:8]};
  reg [2*HALF-1:0] qa, qb;
  reg [2*HALF/8-1:0] pa, pb;
  assign do_a = qa;
  assign dop_a = pa;
  assign do_b = qb;
  assign dop_b = pb;
  initial {qa, pa, qb, pb} = 0;

  function integer lanes;
    input integer width;
    lanes = (width >= 9) ? width / 9 : 0;
  endfunction

  task read;
    input integer width;
    input [ADDRESS-1:0] at;
    output [2*HALF-1:0] data;
    output [2*HALF/8-1:0] parity;
    integer i;
    begin
      data = 0;
      parity = 0;
      if (lanes(width) > 0) begin
        for (i = 0; i < lanes(width); i = i + 1) begin
          {parity[i], data[8*i+:8]} = mem[(at >> 3) / lanes(width) * lanes(width) + i];
        end
      end else if (width > 0) begin
        for (i = 0; i < width; i = i + 1) data[i] = mem[at >> 3][(at % 8) / width * width + i];
      end
    end
  endtask
  task write;
    input integer width;
    input [ADDRESS-1:0] at;
    input [2*HALF-1:0] data;
    input [2*HALF/8-1:0] parity;
    input [7:0] we;
    integer i;
    begin
      if (lanes(width) > 0) begin
        for (i = 0; i < lanes(width); i = i + 1) begin
          if (we[i]) mem[(at >> 3) / lanes(width) * lanes(width) + i] = {parity[i], data[8*i+:8]};
        end
      end else if (width > 0 && we[0]) begin
        for (i = 0; i < width; i = i + 1) mem[at >> 3][(at % 8) / width * width + i] = data[i];
      end
    end
  endtask

  reg [2*HALF-1:0] found_a, found_b;
  reg [2*HALF/8-1:0] also_a, also_b;
  // Both ports read what was there before; what a port writes it may see itself.
  always @(posedge clk) begin
    read(READ_WIDTH_A, addr_a, found_a, also_a);
    read(READ_WIDTH_B, addr_b, found_b, also_b);
    if (en_a && RAM_MODE == "TDP") write(WRITE_WIDTH_A, addr_a, di_a, dip_a, we_a);
    if (en_b) write(WRITE_WIDTH_B, addr_b, di_b, dip_b, we_b);
    if (en_a && RAM_MODE == "TDP" && |we_a && WRITE_MODE_A == "WRITE_FIRST") read(READ_WIDTH_A, addr_a, found_a, also_a);
    if (en_b && |we_b && WRITE_MODE_B == "WRITE_FIRST") read(READ_WIDTH_B, addr_b, found_b, also_b);
    if (en_a) begin
      if (rst_a) {qa, pa} <= 0;
      else if (!(RAM_MODE == "TDP" && |we_a && WRITE_MODE_A == "NO_CHANGE")) {qa, pa} <= {found_a, also_a};
    end
    if (en_b) begin
      if (rst_b) {qb, pb} <= 0;
      else if (!(|we_b && WRITE_MODE_B == "NO_CHANGE")) {qb, pb} <= {found_b, also_b};
    end
  end
endmodule

module RAMB18E1 #(
  parameter [255:0] INIT_00 = 0, INIT_01 = 0, INIT_02 = 0, INIT_03 = 0, INIT_04 = 0, INIT_05 = 0, INIT_06 = 0,
  parameter [255:0] INIT_07 = 0, INIT_08 = 0, INIT_09 = 0, INIT_0A = 0, INIT_0B = 0, INIT_0C = 0, INIT_0D = 0,
  parameter [255:0] INIT_0E = 0, INIT_0F = 0, INIT_10 = 0, INIT_11 = 0, INIT_12 = 0, INIT_13 = 0, INIT_14 = 0,
  parameter [255:0] INIT_15 = 0, INIT_16 = 0, INIT_17 = 0, INIT_18 = 0, INIT_19 = 0, INIT_1A = 0, INIT_1B = 0,
  parameter [255:0] INIT_1C = 0, INIT_1D = 0, INIT_1E = 0, INIT_1F = 0, INIT_20 = 0, INIT_21 = 0, INIT_22 = 0,
  parameter [255:0] INIT_23 = 0, INIT_24 = 0, INIT_25 = 0, INIT_26 = 0, INIT_27 = 0, INIT_28 = 0, INIT_29 = 0,
  parameter [255:0] INIT_2A = 0, INIT_2B = 0, INIT_2C = 0, INIT_2D = 0, INIT_2E = 0, INIT_2F = 0, INIT_30 = 0,
  parameter [255:0] INIT_31 = 0, INIT_32 = 0, INIT_33 = 0, INIT_34 = 0, INIT_35 = 0, INIT_36 = 0, INIT_37 = 0,
  parameter [255:0] INIT_38 = 0, INIT_39 = 0, INIT_3A = 0, INIT_3B = 0, INIT_3C = 0, INIT_3D = 0, INIT_3E = 0,
  parameter [255:0] INIT_3F = 0,
  parameter [255:0] INITP_00 = 0, INITP_01 = 0, INITP_02 = 0, INITP_03 = 0, INITP_04 = 0, INITP_05 = 0,
  parameter [255:0] INITP_06 = 0, INITP_07 = 0,
  parameter INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0, SIM_DEVICE = "7SERIES",
  parameter RAM_MODE = "TDP", READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
  parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST", DOA_REG = 0, DOB_REG = 0,
  parameter RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE", IS_CLKARDCLK_INVERTED = 0, IS_CLKBWRCLK_INVERTED = 0
) (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input [13:0] ADDRARDADDR, ADDRBWRADDR,
  input [15:0] DIADI, DIBDI,
  input [1:0] DIPADIP, DIPBDIP,
  input [1:0] WEA,
  input [3:0] WEBWE,
  output [15:0] DOADO, DOBDO,
  output [1:0] DOPADOP, DOPBDOP
);
  localparam [16383:0] INIT = {
    INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38, INIT_37, INIT_36, INIT_35, INIT_34,
    INIT_33, INIT_32, INIT_31, INIT_30, INIT_2F, INIT_2E, INIT_2D, INIT_2C, INIT_2B, INIT_2A, INIT_29, INIT_28,
    INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20, INIT_1F, INIT_1E, INIT_1D, INIT_1C,
    INIT_1B, INIT_1A, INIT_19, INIT_18, INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10,
    INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08, INIT_07, INIT_06, INIT_05, INIT_04,
    INIT_03, INIT_02, INIT_01, INIT_00
  };
  localparam [2047:0] INITP = {
    INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00
  };
  localparam SDP = RAM_MODE == "SDP";
  wire [31:0] qa, qb;
  wire [3:0] pa, pb;
  bvit_ramb #(
    .BYTES(2048), .ADDRESS(14), .HALF(16), .RAM_MODE(RAM_MODE),
    .READ_WIDTH_A(READ_WIDTH_A), .READ_WIDTH_B(READ_WIDTH_B), .WRITE_WIDTH_A(WRITE_WIDTH_A), .WRITE_WIDTH_B(WRITE_WIDTH_B),
    .WRITE_MODE_A(WRITE_MODE_A), .WRITE_MODE_B(WRITE_MODE_B), .INIT(INIT), .INITP(INITP)
  ) u_ram (
    .clk(CLKARDCLK), .en_a(ENARDEN), .en_b(ENBWREN), .rst_a(RSTRAMARSTRAM), .rst_b(RSTRAMB),
    .addr_a(ADDRARDADDR[13:0]), .addr_b(ADDRBWRADDR[13:0]),
    .di_a({16'd0, DIADI}), .dip_a({2'd0, DIPADIP}),
    .di_b(WRITE_WIDTH_B > 18 ? {DIBDI, DIADI} : {16'd0, DIBDI}),
    .dip_b(WRITE_WIDTH_B > 18 ? {DIPBDIP, DIPADIP} : {2'd0, DIPBDIP}),
    .we_a({6'd0, WEA}), .we_b({4'd0, WEBWE}),
    .do_a(qa), .do_b(qb), .dop_a(pa), .dop_b(pb)
  );
  assign DOADO = qa[15:0];
  assign DOPADOP = pa[1:0];
  assign DOBDO = SDP ? qa[31:16] : qb[15:0];
  assign DOPBDOP = SDP ? pa[3:2] : pb[1:0];
  initial begin
    if (DOA_REG != 0 || DOB_REG != 0 || RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE") begin
      $error("RAMB18E1: this model has no output registers and no cascades");
    end
  end
endmodule

module RAMB36E1 #(
  parameter [255:0] INIT_00 = 0, INIT_01 = 0, INIT_02 = 0, INIT_03 = 0, INIT_04 = 0, INIT_05 = 0, INIT_06 = 0,
  parameter [255:0] INIT_07 = 0, INIT_08 = 0, INIT_09 = 0, INIT_0A = 0, INIT_0B = 0, INIT_0C = 0, INIT_0D = 0,
  parameter [255:0] INIT_0E = 0, INIT_0F = 0, INIT_10 = 0, INIT_11 = 0, INIT_12 = 0, INIT_13 = 0, INIT_14 = 0,
  parameter [255:0] INIT_15 = 0, INIT_16 = 0, INIT_17 = 0, INIT_18 = 0, INIT_19 = 0, INIT_1A = 0, INIT_1B = 0,
  parameter [255:0] INIT_1C = 0, INIT_1D = 0, INIT_1E = 0, INIT_1F = 0, INIT_20 = 0, INIT_21 = 0, INIT_22 = 0,
  parameter [255:0] INIT_23 = 0, INIT_24 = 0, INIT_25 = 0, INIT_26 = 0, INIT_27 = 0, INIT_28 = 0, INIT_29 = 0,
  parameter [255:0] INIT_2A = 0, INIT_2B = 0, INIT_2C = 0, INIT_2D = 0, INIT_2E = 0, INIT_2F = 0, INIT_30 = 0,
  parameter [255:0] INIT_31 = 0, INIT_32 = 0, INIT_33 = 0, INIT_34 = 0, INIT_35 = 0, INIT_36 = 0, INIT_37 = 0,
  parameter [255:0] INIT_38 = 0, INIT_39 = 0, INIT_3A = 0, INIT_3B = 0, INIT_3C = 0, INIT_3D = 0, INIT_3E = 0,
  parameter [255:0] INIT_3F = 0, INIT_40 = 0, INIT_41 = 0, INIT_42 = 0, INIT_43 = 0, INIT_44 = 0, INIT_45 = 0,
  parameter [255:0] INIT_46 = 0, INIT_47 = 0, INIT_48 = 0, INIT_49 = 0, INIT_4A = 0, INIT_4B = 0, INIT_4C = 0,
  parameter [255:0] INIT_4D = 0, INIT_4E = 0, INIT_4F = 0, INIT_50 = 0, INIT_51 = 0, INIT_52 = 0, INIT_53 = 0,
  parameter [255:0] INIT_54 = 0, INIT_55 = 0, INIT_56 = 0, INIT_57 = 0, INIT_58 = 0, INIT_59 = 0, INIT_5A = 0,
  parameter [255:0] INIT_5B = 0, INIT_5C = 0, INIT_5D = 0, INIT_5E = 0, INIT_5F = 0, INIT_60 = 0, INIT_61 = 0,
  parameter [255:0] INIT_62 = 0, INIT_63 = 0, INIT_64 = 0, INIT_65 = 0, INIT_66 = 0, INIT_67 = 0, INIT_68 = 0,
  parameter [255:0] INIT_69 = 0, INIT_6A = 0, INIT_6B = 0, INIT_6C = 0, INIT_6D = 0, INIT_6E = 0, INIT_6F = 0,
  parameter [255:0] INIT_70 = 0, INIT_71 = 0, INIT_72 = 0, INIT_73 = 0, INIT_74 = 0, INIT_75 = 0, INIT_76 = 0,
  parameter [255:0] INIT_77 = 0, INIT_78 = 0, INIT_79 = 0, INIT_7A = 0, INIT_7B = 0, INIT_7C = 0, INIT_7D = 0,
  parameter [255:0] INIT_7E = 0, INIT_7F = 0,
  parameter [255:0] INITP_00 = 0, INITP_01 = 0, INITP_02 = 0, INITP_03 = 0, INITP_04 = 0, INITP_05 = 0,
  parameter [255:0] INITP_06 = 0, INITP_07 = 0, INITP_08 = 0, INITP_09 = 0, INITP_0A = 0, INITP_0B = 0,
  parameter [255:0] INITP_0C = 0, INITP_0D = 0, INITP_0E = 0, INITP_0F = 0,
  parameter INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0, SIM_DEVICE = "7SERIES",
  parameter RAM_MODE = "TDP", READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
  parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST", DOA_REG = 0, DOB_REG = 0,
  parameter RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE", IS_CLKARDCLK_INVERTED = 0, IS_CLKBWRCLK_INVERTED = 0
) (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input CASCADEINA, CASCADEINB,
  output CASCADEOUTA, CASCADEOUTB,
  input [15:0] ADDRARDADDR, ADDRBWRADDR,
  input [31:0] DIADI, DIBDI,
  input [3:0] DIPADIP, DIPBDIP,
  input [3:0] WEA,
  input [7:0] WEBWE,
  output [31:0] DOADO, DOBDO,
  output [3:0] DOPADOP, DOPBDOP
);
  localparam [32767:0] INIT = {
    INIT_7F, INIT_7E, INIT_7D, INIT_7C, INIT_7B, INIT_7A, INIT_79, INIT_78, INIT_77, INIT_76, INIT_75, INIT_74,
    INIT_73, INIT_72, INIT_71, INIT_70, INIT_6F, INIT_6E, INIT_6D, INIT_6C, INIT_6B, INIT_6A, INIT_69, INIT_68,
    INIT_67, INIT_66, INIT_65, INIT_64, INIT_63, INIT_62, INIT_61, INIT_60, INIT_5F, INIT_5E, INIT_5D, INIT_5C,
    INIT_5B, INIT_5A, INIT_59, INIT_58, INIT_57, INIT_56, INIT_55, INIT_54, INIT_53, INIT_52, INIT_51, INIT_50,
    INIT_4F, INIT_4E, INIT_4D, INIT_4C, INIT_4B, INIT_4A, INIT_49, INIT_48, INIT_47, INIT_46, INIT_45, INIT_44,
    INIT_43, INIT_42, INIT_41, INIT_40, INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38,
    INIT_37, INIT_36, INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30, INIT_2F, INIT_2E, INIT_2D, INIT_2C,
    INIT_2B, INIT_2A, INIT_29, INIT_28, INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20,
    INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18, INIT_17, INIT_16, INIT_15, INIT_14,
    INIT_13, INIT_12, INIT_11, INIT_10, INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08,
    INIT_07, INIT_06, INIT_05, INIT_04, INIT_03, INIT_02, INIT_01, INIT_00
  };
  localparam [4095:0] INITP = {
    INITP_0F, INITP_0E, INITP_0D, INITP_0C, INITP_0B, INITP_0A, INITP_09, INITP_08, INITP_07, INITP_06,
    INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00
  };
  localparam SDP = RAM_MODE == "SDP";
  wire [63:0] qa, qb;
  wire [7:0] pa, pb;
  bvit_ramb #(
    .BYTES(4096), .ADDRESS(15), .HALF(32), .RAM_MODE(RAM_MODE),
    .READ_WIDTH_A(READ_WIDTH_A), .READ_WIDTH_B(READ_WIDTH_B), .WRITE_WIDTH_A(WRITE_WIDTH_A), .WRITE_WIDTH_B(WRITE_WIDTH_B),
    .WRITE_MODE_A(WRITE_MODE_A), .WRITE_MODE_B(WRITE_MODE_B), .INIT(INIT), .INITP(INITP)
  ) u_ram (
    .clk(CLKARDCLK), .en_a(ENARDEN), .en_b(ENBWREN), .rst_a(RSTRAMARSTRAM), .rst_b(RSTRAMB),
    .addr_a(ADDRARDADDR[14:0]), .addr_b(ADDRBWRADDR[14:0]),
    .di_a({32'd0, DIADI}), .dip_a({4'd0, DIPADIP}),
    .di_b(WRITE_WIDTH_B > 36 ? {DIBDI, DIADI} : {32'd0, DIBDI}),
    .dip_b(WRITE_WIDTH_B > 36 ? {DIPBDIP, DIPADIP} : {4'd0, DIPBDIP}),
    .we_a({4'd0, WEA}), .we_b(WEBWE),
    .do_a(qa), .do_b(qb), .dop_a(pa), .dop_b(pb)
  );
  assign DOADO = qa[31:0];
  assign DOPADOP = pa[3:0];
  assign DOBDO = SDP ? qa[63:32] : qb[31:0];
  assign DOPBDOP = SDP ? pa[7:4] : pb[3:0];
  assign {CASCADEOUTA, CASCADEOUTB} = 2'b00;
  initial begin
    if (DOA_REG != 0 || DOB_REG != 0 || RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE") begin
      $error("RAMB36E1: this model has no output registers and no cascades");
    end
  end
endmodule
