// C simulation only: beats and tables between files and templates.
//
// A file holds beats one after the other, or a table's elements, first index slowest; each takes
// whole bytes, low byte first, two's complement.
#ifndef BVIT_SIM_CSIM_HPP
#define BVIT_SIM_CSIM_HPP

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>

#include "bvit/common.hpp"

namespace bvit {
namespace sim {

constexpr int kWord = 64;

template <int width>
ap_uint<width> take(std::istream& file) {
  ap_uint<width> value = 0;
  for (int at = 0; at < width; at += kWord) {
    const int bits = min_of(width - at, kWord);
    std::uint64_t word = 0;
    for (int byte = 0; 8 * byte < bits; ++byte) {
      const int got = file.get();
      if (got == std::char_traits<char>::eof()) throw std::runtime_error("a file is too short");
      word |= static_cast<std::uint64_t>(got) << (8 * byte);
    }
    value.range(at + bits - 1, at) = ap_uint<kWord>(word);
  }
  return value;
}

template <int width>
void give(std::ostream& file, const ap_uint<width>& value) {
  for (int at = 0; at < width; at += kWord) {
    const int bits = min_of(width - at, kWord);
    const ap_uint<kWord> part = value.range(at + bits - 1, at);
    const std::uint64_t word = part.to_uint64();
    for (int byte = 0; 8 * byte < bits; ++byte) file.put(static_cast<char>(word >> (8 * byte)));
  }
}

template <int bits>
void fill(std::istream& file, ap_uint<bits>& element) {
  element = take<bits>(file);
}
template <int bits>
void fill(std::istream& file, ap_int<bits>& element) {
  element = ap_int<bits>(take<bits>(file));
}
template <typename Element, std::size_t count>
void fill(std::istream& file, Element (&table)[count]) {
  for (Element& element : table) fill(file, element);
}

/// The files of one run: tables.bin, in0.bin .., out0.bin .. in `folder`.
class Files {
 public:
  Files(const std::string& folder, int frame_count)
      : frames(frame_count), folder_(folder), tables_(folder + "/tables.bin", std::ios::binary) {}

  const int frames;

  template <typename Table>
  void table(Table& table) {
    fill(tables_, table);
  }

  /// All frames' beats into an input stream.
  template <int width>
  void read(const char* name, hls::stream<ap_uint<width>>& stream, long beats) {
    std::ifstream file(folder_ + "/" + name + ".bin", std::ios::binary);
    for (long i = 0; i < beats * frames; ++i) stream.write(take<width>(file));
  }

  /// An input stream must have been read to its end.
  template <int width>
  void expect_empty(const char* name, hls::stream<ap_uint<width>>& stream) {
    if (!stream.empty()) throw std::runtime_error(std::string(name) + ": beats were left in the input stream");
  }

  /// All beats of an output stream, which must be exactly `frames` frames.
  template <int width>
  void write(const char* name, hls::stream<ap_uint<width>>& stream, long beats) {
    std::ofstream file(folder_ + "/" + name + ".bin", std::ios::binary);
    for (long i = 0; i < beats * frames; ++i) {
      if (stream.empty()) throw std::runtime_error(std::string(name) + ": beats are missing in the output stream");
      give(file, stream.read());
    }
    if (!stream.empty()) throw std::runtime_error(std::string(name) + ": beats are left in the output stream");
  }

 private:
  std::string folder_;
  std::ifstream tables_;
};

}  // namespace sim
}  // namespace bvit

#endif
