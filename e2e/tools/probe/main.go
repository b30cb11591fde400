// Probe is both ends of a connection that a network policy allows or refuses.
//
//	probe serve ADDRESS            greets and hangs up
//	probe watch ADDRESS DURATION   tries from its first moment on, and prints how often somebody took the
//	                               connection, and how often another probe greeted it
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	greeting = "hello\n"
	interval = 20 * time.Millisecond
	patience = time.Second
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "serve":
		return serve(arguments[1])
	case len(arguments) == 3 && arguments[0] == "watch":
		return watch(arguments[1], arguments[2])
	}
	return fmt.Errorf("%q: use serve ADDRESS or watch ADDRESS DURATION", arguments)
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			_, _ = io.WriteString(connection, greeting)
		}()
	}
}

// watch does not wait for one attempt to end before the next begins: a refused one takes its whole patience, and
// what is looked for may last a moment only.
func watch(address, duration string) error {
	length, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	var attempts, connected, greeted atomic.Int64
	var all sync.WaitGroup
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(interval) {
		all.Go(func() {
			attempts.Add(1)
			connection, err := net.DialTimeout("tcp", address, patience)
			if err != nil {
				return
			}
			defer connection.Close()
			connected.Add(1)
			if greets(connection) {
				greeted.Add(1)
			}
		})
	}
	all.Wait()
	fmt.Printf("attempts=%d connected=%d greeted=%d\n", attempts.Load(), connected.Load(), greeted.Load())
	return nil
}

func greets(connection net.Conn) bool {
	_ = connection.SetDeadline(time.Now().Add(patience))
	said, err := io.ReadAll(connection)
	return err == nil && string(said) == greeting
}
