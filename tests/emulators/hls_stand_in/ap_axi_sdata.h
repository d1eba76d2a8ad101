// Stand-in for Vitis HLS's ap_axi_sdata.h, for compilation by g++ only: the members that the movers use, at the widths
// that Vitis gives them. The open ap_int headers do not come with one.
#ifndef BVIT_TEST_AP_AXI_SDATA_H
#define BVIT_TEST_AP_AXI_SDATA_H

#include <ap_int.h>

template <int WData, int WUser, int WId, int WDest>
struct ap_axiu {
  static_assert(WUser == 0 && WId == 0 && WDest == 0, "the stand-in has no user, id or dest");
  ap_uint<WData> data;
  ap_uint<(WData + 7) / 8> keep;
  ap_uint<(WData + 7) / 8> strb;
  ap_uint<1> last;
};

#endif
