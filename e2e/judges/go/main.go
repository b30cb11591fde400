// Command logjudge reads a Pavilion log with the Go team's own log libraries.
//
//	logjudge receipt VKEY-FILE RECEIPT-FILE   the receipt's entry is in the tree that the log signed
//	logjudge log VKEY-FILE SOURCE [OLD]       every tile is of the tree that the log signed, and the log
//	                                          only grew since the checkpoint in the file OLD; prints
//	                                          how many entries there are and the hash of each
//
// SOURCE is a directory, whose entries are checked as well, or a URL, where entries are private: it is
// read by the authorities in $LOGJUDGE_CA at the address $LOGJUDGE_CONNECT.
//
// It shares no code with Pavilion: notes come from sumdb/note, tree hashes and proofs from sumdb/tlog.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
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
	if len(args) != 3 && (len(args) != 4 || args[0] != "log") {
		return errors.New("usage: logjudge receipt|log VKEY-FILE PATH [OLD]")
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
		from, entries, err := open(args[2])
		if err != nil {
			return err
		}
		var old []byte
		if len(args) == 4 {
			if old, err = os.ReadFile(args[3]); err != nil {
				return err
			}
		}
		return judgeLog(verifier, from, entries, old)
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

func judgeLog(verifier note.Verifier, from source, entries bool, old []byte) error {
	checkpoint, err := from("checkpoint")
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(verifier, checkpoint)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tiles(from))
	if old != nil {
		if err := judgeGrowth(verifier, reader, old, tree); err != nil {
			return err
		}
	}
	var leaves []string
	for first := int64(0); first < tree.N; first += 256 {
		width := int(min(tree.N-first, 256))
		var indexes []int64
		for index := first; index < first+int64(width); index++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, index))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return fmt.Errorf("entries from %d: %w", first, err)
		}
		for _, hash := range hashes {
			leaves = append(leaves, hex.EncodeToString(hash[:]))
		}
		if !entries {
			continue
		}
		if err := judgeEntries(from, first/256, hashes); err != nil {
			return err
		}
	}
	fmt.Printf("%d entries are in the log\n", tree.N)
	for _, leaf := range leaves {
		fmt.Println(leaf)
	}
	return nil
}

// judgeEntries checks that a bundle holds the entries that the tree holds.
func judgeEntries(from source, n int64, hashes []tlog.Hash) error {
	entries, err := bundle(from, n, len(hashes))
	if err != nil {
		return err
	}
	for offset, entry := range entries {
		if hashes[offset] != tlog.RecordHash(entry) {
			return fmt.Errorf("entry %d is not the one the tree holds", n*256+int64(offset))
		}
	}
	return nil
}

// judgeGrowth checks that the log only grew since an older checkpoint.
func judgeGrowth(verifier note.Verifier, reader tlog.HashReader, signed []byte, now tlog.Tree) error {
	then, err := openCheckpoint(verifier, signed)
	if err != nil {
		return err
	}
	if then.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(now.N, then.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, now.N, now.Hash, then.N, then.Hash)
}
