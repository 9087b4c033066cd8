package upload

import "github.com/minio/crc64nvme"

func checksum(p []byte) uint64           { return crc64nvme.Checksum(p) }
func update(crc uint64, p []byte) uint64 { return crc64nvme.Update(crc, p) }

// polynomial of CRC-64/NVME, reflected (NVM Express NVM Command Set Specification 1.0, "64b CRC").
const polynomial = 0x9a6c9329ac4bc9b5

// combine is the checksum of two runs of bytes, from the checksum of each and the length of the second.
//
// A CRC is a remainder of polynomials over GF(2), so appending n bytes multiplies the first one's by x^(8n) modulo
// the CRC's polynomial; the initial and final inversions cancel out in the sum.
func combine(first, second uint64, length int64) uint64 {
	return multiply(first, power(uint64(length)*8)) ^ second
}

// one is the polynomial 1: in a reflected register the highest bit is the constant term.
const one = 1 << 63

// multiply is a·b modulo the polynomial.
func multiply(a, b uint64) (product uint64) {
	for ; b != 0; b <<= 1 {
		if b&one != 0 {
			product ^= a
		}
		a = shift(a)
	}
	return product
}

// shift is a·x.
func shift(a uint64) uint64 {
	if a&1 != 0 {
		return a>>1 ^ polynomial
	}
	return a >> 1
}

// power is x^n, by squaring.
func power(n uint64) uint64 {
	result, base := uint64(one), shift(one)
	for ; n != 0; n >>= 1 {
		if n&1 != 0 {
			result = multiply(result, base)
		}
		base = multiply(base, base)
	}
	return result
}
