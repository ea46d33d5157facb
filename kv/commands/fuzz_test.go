package commands_test

import (
	"strings"
	"testing"

	"conclave/kv/commands"
)

// Whatever the arguments: no panic, and exactly one reply. The input is lines
// of words separated by tabs, each line a command.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{
		"SET\ta\t1\tEX\t10\nGET\ta\nAPPEND\ta\tx\nGETRANGE\ta\t-3\t9",
		"SETRANGE\ta\t100\tx\nINCRBYFLOAT\tb\t0x1p-3\nINCRBYFLOAT\tb\t1e4000\nINCRBYFLOAT\tb\t-1e-4000",
		"MSET\ta\tohmytext\tb\tmynewtext\nLCS\ta\tb\tIDX\tWITHMATCHLEN\tMINMATCHLEN\t2",
		"SET\t{a}1\tv\nSCAN\t123456789\tMATCH\t{a}*\tCOUNT\t3\tTYPE\tstring\nKEYS\t{a}*\nRANDOMKEY",
		"SET\ta\t1\nMOVE\ta\t1\nCOPY\ta\tb\tDB\t1\tREPLACE\nSWAPDB\t0\t1\nRENAME\tb\tc\nFLUSHALL\tASYNC",
		"SET\ta\t1\nPEXPIREAT\ta\t99999999999999\tGT\nOBJECT\tFREQ\ta\nOBJECT\tHELP\nTTL\ta",
		"SETBIT\ta\t9\t1\nBITFIELD\ta\tOVERFLOW\tSAT\tINCRBY\ti64\t#3\t-7\tGET\tu63\t1\nBITPOS\ta\t0\t-9\t-1\tBIT\nBITCOUNT\ta\nBITOP\tNOT\tb\ta",
		"PFADD\ta\tx\ty\nPFMERGE\tb\ta\nPFCOUNT\ta\tb\nSETRANGE\ta\t16\t\x7f\nPFADD\ta\tz\nPFCOUNT\ta\nPFMERGE\tb\ta",
		"ZADD\tz\tGT\tCH\t1\ta\t0x1p-3\tb\nZADD\tz\tINCR\tinf\ta\nZRANGE\tz\t(1\t+inf\tBYSCORE\tREV\tLIMIT\t0\t-1\nZRANGESTORE\ty\tz\t-\t[b\tBYLEX\nZPOPMAX\tz\t9",
		"ZADD\tz\t1\ta\t-0\tb\nZUNIONSTORE\ty\t2\tz\tz\tWEIGHTS\t2\t-inf\tAGGREGATE\tMIN\nZINTERCARD\t1\tz\tLIMIT\t1\nZDIFF\t1\tz\tWITHSCORES\nZMPOP\t1\tz\tMIN\tCOUNT\t2\nBZMPOP\t1\t1\tz\tMAX\nZRANDMEMBER\ty\t-5\tWITHSCORES",
		"GEOADD\tg\tCH\t180\t85.05112878\ta\t-180\t-85.05112878\tb\nZADD\tg\t-inf\tc\t1e300\td\nGEOSEARCH\tg\tFROMMEMBER\tc\tBYBOX\tinf\t1e300\tkm\tASC\tWITHDIST\tWITHHASH\tWITHCOORD\nGEORADIUS\tg\t0\t0\tinf\tm\tSTOREDIST\th\nGEODIST\tg\tc\td\tmi\nGEOHASH\tg\td",
		"HSET\th\ta\t1\tb\tx\nHINCRBYFLOAT\th\ta\t1e400\nHRANDFIELD\th\t-5\tWITHVALUES\nHRANDFIELD\th\t-4611686018427387904\tWITHVALUES\nHSCAN\th\t9\tMATCH\t[a\tCOUNT\t1\nHDEL\th\ta\tb",
		"SADD\ts\t1\t-300\t70000\ta\nSMOVE\ts\tu\ta\nSPOP\ts\t2\nSRANDMEMBER\tu\t-3\nSINTERCARD\t2\ts\tu\tLIMIT\t1\nSUNIONSTORE\ts\ts\tu\nSDIFF\ts\tu\ts\tu\ts\tu\nSSCAN\ts\t0",
		"RPUSH\tl\t3\tx\t\nSET\tw3\t1\nHSET\tw\tf\t2\nSORT\tl\tBY\tw*\tGET\t#\tGET\tw*->f\tLIMIT\t1\t-1\tDESC\tSTORE\td\nSORT_RO\tl\tALPHA\nSORT\td\tBY\tnosort",
		"RPUSH\tl\ta\t-1\t\t300\nLINSERT\tl\tAFTER\ta\tb\nLPOS\tl\ta\tRANK\t-1\tCOUNT\t0\tMAXLEN\t2\nLREM\tl\t-1\ta\nLTRIM\tl\t1\t-9223372036854775808\nLMPOP\t1\tl\tRIGHT\tCOUNT\t2",
		"RPUSH\tl\ta\tb\nLMOVE\tl\tl\tLEFT\tRIGHT\nBLMOVE\tl\tm\tRIGHT\tLEFT\t1e300\nBRPOP\tn\tl\t0x1p-3\nBLPOP\tl\t-0.0001\nBLMPOP\t0.1\t2\tn\tm\tLEFT\nLPOP\tl\t9223372036854775807\nLSET\tl\t-1\tx",
		"RESTORE\ta\t0\t\x00\xc0\x05\x0a\x00garbage\nDUMP\ta",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, program string) {
		l := newLocal(t, commands.Deps{MaxBulkLen: func() int64 { return 1 << 16 }})
		for line := range strings.SplitSeq(program, "\n") {
			args := strings.Split(line, "\t")
			if strings.EqualFold(args[0], "migrate") {
				continue // talks to the network
			}
			l.do(args...)
			l.now += 7
		}
	})
}
