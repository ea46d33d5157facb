package arena

const (
	headerSize = 64 // of a chunk; cells behind it keep cells of 64 aligned
	cellSpace  = ChunkSize - headerSize
	// maxCell is the largest cell; two fit into a chunk.
	maxCell    = cellSpace / 2
	numClasses = 54
)

// classSizes are the sizes of cells: steps of eight bytes, then of an eighth,
// and at the end what divides a chunk without a rest.
var classSizes = [numClasses]uint16{
	16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128,
	144, 160, 176, 192, 208, 224, 240, 256,
	288, 320, 352, 384, 416, 448, 480, 512,
	576, 640, 704, 768, 832, 896, 960,
	1016, 1088, 1160, 1248, 1360, 1480, 1632, 1808, 2040, 2328, 2720, 3264, 4080, 5440, maxCell,
	0xffff, // none: ends the search
}

// classOf gives, for (n+7)/8, the smallest class that holds n bytes.
var classOf = func() (t [maxCell/8 + 1]uint8) {
	c := uint8(0)
	for i := range t {
		for int(classSizes[c]) < i*8 {
			c++
		}
		t[i] = c
	}
	return t
}()

// CellSize is the memory that n bytes take: their cell, or the pages of their
// run.
func CellSize(n int) int {
	if n <= maxCell {
		return int(classSizes[classOf[(n+7)>>3]])
	}
	return (n + pageSize - 1) &^ (pageSize - 1)
}

// SameCell reports whether what has a bytes and what has b bytes take the same
// kind of cell or run, so that one can become the other in place.
func SameCell(a, b int) bool {
	if a <= maxCell && b <= maxCell {
		return classOf[(a+7)>>3] == classOf[(b+7)>>3]
	}
	return a > maxCell && b > maxCell && runChunks(a) == runChunks(b)
}

// IsRun reports whether n bytes get a run of their own.
func IsRun(n int) bool { return n > maxCell }
