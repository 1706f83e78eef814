/* Descriptions that test_dis.c takes random instructions of. */
