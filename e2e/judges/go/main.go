// Command logjudge reads a Pavilion log with the Go team's own log libraries.
//
//	logjudge receipt VKEY-FILE RECEIPT-FILE   the receipt's entry is in the tree that the log signed
//	logjudge log VKEY-FILE DIRECTORY          every entry on disk is in the tree that the log signed
//
// It shares no code with Pavilion: notes come from sumdb/note, tree hashes and proofs from sumdb/tlog.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "logjudge:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: logjudge receipt|log VKEY-FILE PATH")
	}
	vkey, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return err
	}
	switch args[0] {
	case "receipt":
		return judgeReceipt(verifier, args[2])
	case "log":
		return judgeLog(verifier, args[2])
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// openCheckpoint checks the signature and that the origin line names the log.
func openCheckpoint(verifier note.Verifier, signed []byte) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("the checkpoint is of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func judgeReceipt(verifier note.Verifier, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, checkpoint, found := strings.Cut(string(text), "\n\n")
	if !found {
		return errors.New("the receipt has no checkpoint")
	}
	tree, err := openCheckpoint(verifier, []byte(checkpoint))
	if err != nil {
		return err
	}
	lines := strings.Split(head, "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	fmt.Printf("entry %d of %d is in the log\n", index, tree.N)
	return nil
}

// tiles reads C2SP tiles from a directory. Go's paths carry the tile height, C2SP's do not.
type tiles string

func (tiles) Height() int { return 8 }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (directory tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		data, err := os.ReadFile(filepath.Join(string(directory), path))
		if errors.Is(err, os.ErrNotExist) && tile.W < 256 {
			full := tile
			full.W = 256
			path = "tile/" + strings.TrimPrefix(full.Path(), "tile/8/")
			if data, err = os.ReadFile(filepath.Join(string(directory), path)); err == nil {
				data = data[:tile.W*sha256.Size]
			}
		}
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

// bundle reads the entry bundle n with width w: entries behind big-endian 16-bit lengths.
func bundle(directory string, n int64, w int) ([][]byte, error) {
	tile := tlog.Tile{H: 8, L: 0, N: n, W: w}
	path := "tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/0/")
	data, err := os.ReadFile(filepath.Join(directory, path))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s: torn entry", path)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if len(entries) != w {
		return nil, fmt.Errorf("%s: %d entries instead of %d", path, len(entries), w)
	}
	return entries, nil
}

func judgeLog(verifier note.Verifier, directory string) error {
	checkpoint, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(verifier, checkpoint)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tiles(directory))
	for first := int64(0); first < tree.N; first += 256 {
		width := int(min(tree.N-first, 256))
		entries, err := bundle(directory, first/256, width)
		if err != nil {
			return err
		}
		for offset, entry := range entries {
			index := first + int64(offset)
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			if err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
			if hashes[0] != tlog.RecordHash(entry) {
				return fmt.Errorf("entry %d is not the one the tree holds", index)
			}
		}
	}
	fmt.Printf("%d entries are in the log\n", tree.N)
	return nil
}
